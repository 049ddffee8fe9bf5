#include "core/graph/flags.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include "core/graph/walk.h"

namespace espalier::ir {

using torch::jit::Function;
using torch::jit::Node;
using torch::jit::Value;
using torch::jit::WithInsertPoint;
namespace prim = c10::prim;
namespace attr = c10::attr;

namespace {

constexpr char kTraining[] = "training";

bool isModule(const Value* value) {
  const auto type = value->type()->cast<c10::ClassType>();
  return type && type->is_module();
}

bool readsTrainingFlag(const Node& node) {
  return node.kind() == prim::GetAttr && node.s(attr::name) == kTraining && isModule(node.input(0));
}

// Where the operator keeps its flag; none for an operator that does the same in both modes.
std::optional<size_t> flagIndex(const Node& node) {
  if (!node.kind().is_aten()) return std::nullopt;
  for (const char* name : {"train", "training", "use_input_stats"}) {
    const auto index = argumentIndex(node, name);
    if (index && node.input(*index)->type()->isSubtypeOf(*c10::BoolType::get())) return index;
  }
  return std::nullopt;
}

bool hasNoStatistics(const Node& node) {
  const Value* mean = argument(node, "running_mean");
  return mean != nullptr && mean->mustBeNone();
}

// Tracing puts an operator with constant arguments straight into a module's method. Code that was written
// passes `self.training`, or goes through a function of torch.nn.functional: a constant there is meant.
class TracedCode {
 public:
  explicit TracedCode(torch::jit::Graph& root) : rootReads_(reads(root)) {}

  bool holds(const Node& node) {
    const auto stack = node.callstack();
    if (!stack) return !rootReads_;
    Function* function = std::get<0>((*stack)->vec().back());
    const auto known = traced_.find(function);
    if (known != traced_.end()) return known->second;
    return traced_[function] = isTracedMethod(function);
  }

 private:
  static bool reads(torch::jit::Graph& graph) {
    for (const Node* node : allNodes(graph)) {
      // A read that inlining brought in belongs to the method that it came from.
      if (readsTrainingFlag(*node) && !node->callstack()) return true;
    }
    return false;
  }

  static bool isTracedMethod(Function* function) {
    torch::jit::GraphFunction* body = torch::jit::tryToGraphFunction(*function);
    if (body == nullptr) return false;
    torch::jit::Graph& graph = *body->graph();
    return !graph.inputs().empty() && isModule(graph.inputs()[0]) && !reads(graph);
  }

  bool rootReads_;
  std::unordered_map<Function*, bool> traced_;
};

struct BakedFlag {
  Node* node;
  size_t index;
  bool isTrue;
  // Attention has the probability of its dropout in place of a flag.
  bool isProbability;
};

std::vector<BakedFlag> bakedFlags(torch::jit::Graph& graph) {
  std::vector<BakedFlag> flags;
  TracedCode traced(graph);
  for (Node* node : allNodes(graph)) {
    const bool attention = node->kind() == c10::aten::scaled_dot_product_attention;
    const auto index = attention ? argumentIndex(*node, "dropout_p") : flagIndex(*node);
    if (!index || hasNoStatistics(*node)) continue;
    const auto constant = torch::jit::toIValue(node->input(*index));
    if (!constant || !traced.holds(*node)) continue;
    if (constant->isBool()) flags.push_back({node, *index, constant->toBool(), false});
    if (constant->isDouble()) flags.push_back({node, *index, constant->toDouble() > 0, true});
  }
  return flags;
}

void replaceReads(torch::jit::Graph& graph, bool training) {
  std::vector<Node*> reads;
  for (Node* node : allNodes(graph)) {
    if (node->kind() == prim::SetAttr && node->s(attr::name) == kTraining) return;
    if (readsTrainingFlag(*node)) reads.push_back(node);
  }
  for (Node* read : reads) {
    const WithInsertPoint point(read);
    read->output()->replaceAllUsesWith(graph.insertConstant(training));
    read->destroy();
  }
}

// A trace of training counts batches whenever it runs; a norm counts them in training only.
std::vector<Node*> countedBatches(torch::jit::Graph& graph) {
  std::vector<Node*> counters;
  TracedCode traced(graph);
  for (Node* node : allNodes(graph)) {
    if (node->kind() != c10::aten::add_ || node->input(0)->node()->kind() != prim::GetAttr) continue;
    const bool counts = node->input(0)->node()->s(attr::name) == "num_batches_tracked";
    if (counts && !node->hasUses() && traced.holds(*node)) counters.push_back(node);
  }
  return counters;
}

// training ? probability : 0
Value* probabilityInTraining(torch::jit::Graph& graph, Value* training, Value* probability) {
  Node* choice = graph.insertNode(graph.create(prim::If, {training}, 1));
  choice->output()->setType(c10::FloatType::get());
  // What is baked in is a constant.
  const double baked = torch::jit::constant_as<double>(probability).value_or(0.0);
  for (const double value : {baked, 0.0}) {
    torch::jit::Block* branch = choice->addBlock();
    const WithInsertPoint point(branch);
    branch->registerOutput(graph.insertConstant(value));
  }
  return choice->output();
}

}  // namespace

void fixTraining(torch::jit::Graph& graph, Mode mode) {
  const bool training = mode == Mode::kTrain;
  for (const BakedFlag& flag : bakedFlags(graph)) {
    const WithInsertPoint point(flag.node);
    if (!flag.isProbability) {
      flag.node->replaceInput(flag.index, graph.insertConstant(training));
    } else if (!training) {
      flag.node->replaceInput(flag.index, graph.insertConstant(0.0));
    }
  }
  if (!training) {
    for (Node* counter : countedBatches(graph)) counter->destroy();
  }
  replaceReads(graph, training);
}

void readTraining(torch::jit::Graph& graph) {
  const std::vector<BakedFlag> flags = bakedFlags(graph);
  const std::vector<Node*> counters = countedBatches(graph);
  if (flags.empty() && counters.empty()) return;
  Value* training = nullptr;
  {
    const WithInsertPoint point(*graph.nodes().begin());
    training = graph.insertGetAttr(graph.inputs()[0], kTraining);
    training->setType(c10::BoolType::get());
  }
  for (const BakedFlag& flag : flags) {
    if (flag.isProbability && !flag.isTrue) continue;
    const WithInsertPoint point(flag.node);
    Value* replacement =
        flag.isProbability ? probabilityInTraining(graph, training, flag.node->input(flag.index)) : training;
    flag.node->replaceInput(flag.index, replacement);
  }
  for (Node* counter : counters) {
    const WithInsertPoint point(counter);
    Node* condition = graph.insertNode(graph.create(prim::If, {training}, 0));
    torch::jit::Block* then = condition->addBlock();
    condition->addBlock();
    counter->moveBefore(then->return_node());
  }
}

bool hasBakedTraining(torch::jit::Graph& graph) {
  const std::vector<BakedFlag> flags = bakedFlags(graph);
  return std::any_of(flags.begin(), flags.end(), [](const BakedFlag& flag) { return flag.isTrue; });
}

bool drawsRandomNumbers(const Node& node) {
  static const std::set<std::string_view> kWithFlag = {"aten::dropout",
                                                       "aten::dropout_",
                                                       "aten::feature_dropout",
                                                       "aten::feature_dropout_",
                                                       "aten::alpha_dropout",
                                                       "aten::alpha_dropout_",
                                                       "aten::native_dropout",
                                                       "aten::feature_alpha_dropout",
                                                       "aten::feature_alpha_dropout_",
                                                       "aten::rrelu",
                                                       "aten::rrelu_",
                                                       "aten::lstm",
                                                       "aten::gru",
                                                       "aten::rnn_tanh",
                                                       "aten::rnn_relu"};
  static const std::set<std::string_view> kAlways = {"aten::rand",
                                                     "aten::randn",
                                                     "aten::randint",
                                                     "aten::randperm",
                                                     "aten::rand_like",
                                                     "aten::randn_like",
                                                     "aten::randint_like",
                                                     "aten::bernoulli",
                                                     "aten::bernoulli_",
                                                     "aten::multinomial",
                                                     "aten::normal",
                                                     "aten::normal_",
                                                     "aten::uniform_",
                                                     "aten::random_",
                                                     "aten::poisson",
                                                     "aten::exponential_",
                                                     "aten::geometric_",
                                                     "aten::log_normal_",
                                                     "aten::cauchy_",
                                                     "aten::binomial",
                                                     "aten::rrelu_with_noise",
                                                     "aten::rrelu_with_noise_"};
  const std::string_view op = node.kind().toQualString();
  if (kAlways.count(op) > 0) return true;
  const auto constant = [&](const char* name) -> std::optional<c10::IValue> {
    const Value* value = argument(node, name);
    return value == nullptr ? std::nullopt : torch::jit::toIValue(value);
  };
  if (op == "aten::scaled_dot_product_attention") {
    const auto probability = constant("dropout_p");
    return !probability || !probability->isDouble() || probability->toDouble() > 0;
  }
  if (kWithFlag.count(op) == 0) return false;
  const auto index = flagIndex(node);
  const auto flag = index ? torch::jit::toIValue(node.input(*index)) : std::nullopt;
  if (flag && flag->isBool() && !flag->toBool()) return false;
  for (const char* name : {"p", "dropout"}) {
    const auto probability = constant(name);
    if (probability && probability->isDouble() && probability->toDouble() == 0) return false;
  }
  return true;
}

}  // namespace espalier::ir
