#include "core/graph/prepare.h"

#include <set>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/loop_unrolling.h>
#include <torch/csrc/jit/passes/lower_tuples.h>
#include <torch/csrc/jit/passes/peephole.h>

#include "core/error.h"
#include "core/graph/flags.h"
#include "core/graph/resolve.h"
#include "core/graph/walk.h"

namespace espalier::ir {

using torch::jit::Node;
using torch::jit::Value;
using torch::jit::WithInsertPoint;
namespace prim = c10::prim;
namespace attr = c10::attr;

namespace {

// A loop whose trip count is constant is unrolled while the graph stays below this size.
constexpr double kMostUnrolledNodes = 50000;
constexpr int kCleaningRounds = 3;

std::set<std::string> writtenAttributes(torch::jit::Graph& graph) {
  std::set<std::string> names;
  for (const Node* node : allNodes(graph)) {
    if (node->kind() == prim::SetAttr) names.insert(node->s(attr::name));
  }
  return names;
}

// Replaces one call through an interface by the method of the object that stands there; false when none is
// left that can be followed.
bool inlineInterfaceCall(const torch::jit::Module& module, torch::jit::Graph& graph) {
  const Resolver resolver(module, graph);
  const std::set<std::string> written = writtenAttributes(graph);
  for (Node* call : allNodes(graph)) {
    if (call->kind() != prim::CallMethod) continue;
    Value* target = call->input(0);
    if (target->node()->kind() == prim::GetAttr && written.count(target->node()->s(attr::name)) > 0) continue;
    const auto found = resolver.attribute(target);
    if (!found || !found->value.isObject()) continue;
    const auto type = found->value.toObjectRef().type();
    torch::jit::Function* method = type->findMethod(call->s(attr::name));
    torch::jit::GraphFunction* body = method == nullptr ? nullptr : torch::jit::tryToGraphFunction(*method);
    if (body == nullptr) continue;
    target->setType(type);
    torch::jit::inlineCallTo(call, body);
    return true;
  }
  return false;
}

bool isImmutableScalar(const c10::IValue& value) {
  return value.isNone() || value.isBool() || value.isInt() || value.isDouble() || value.isString();
}

// Attributes that no code of the module writes are constants of this copy; an optional tensor that is there
// is a tensor.
void fixAttributes(const torch::jit::Module& module, torch::jit::Graph& graph) {
  const Resolver resolver(module, graph);
  const std::set<std::string> written = writtenAttributes(graph);
  for (Node* node : allNodes(graph)) {
    if (node->kind() != prim::GetAttr || written.count(node->s(attr::name)) > 0) continue;
    const auto found = resolver.attribute(node->output());
    if (!found) continue;
    if (isImmutableScalar(found->value)) {
      const WithInsertPoint point(node);
      if (const auto constant = torch::jit::tryInsertConstant(graph, found->value)) {
        node->output()->replaceAllUsesWith(*constant);
      }
    } else if (found->value.isTensor() && node->output()->type()->kind() == c10::TypeKind::OptionalType) {
      node->output()->setType(c10::TensorType::get());
    }
  }
}

// How many nodes a block has once its constant loops are unrolled.
double unrolledSize(torch::jit::Block* block) {
  double size = 0;
  for (Node* node : block->nodes()) {
    double trips = 1;
    if (node->kind() == prim::Loop) {
      const auto count = torch::jit::toIValue(node->input(0));
      if (count && count->isInt() && torch::jit::toIValue(node->input(1))) {
        trips = static_cast<double>(std::max<int64_t>(count->toInt(), 1));
      }
    }
    size += 1;
    for (torch::jit::Block* inner : node->blocks()) size += trips * unrolledSize(inner);
  }
  return size;
}

void clean(std::shared_ptr<torch::jit::Graph>& graph) {
  for (int round = 0; round < kCleaningRounds; ++round) {
    torch::jit::ConstantPropagation(graph);
    torch::jit::PeepholeOptimize(graph);
    if (unrolledSize(graph->block()) < kMostUnrolledNodes) torch::jit::UnrollConstantLoops(graph);
    torch::jit::LowerSimpleTuples(graph);
    torch::jit::EliminateDeadCode(graph);
  }
}

// A model's own warnings and prints are not the caller's output.
void removeOutput(torch::jit::Graph& graph) {
  for (Node* node : allNodes(graph)) {
    if (node->kind() == prim::Print || node->kind() == c10::aten::warn) node->destroy();
  }
}

// Tracing bakes the device of the trace into the code.
void moveConstants(const torch::jit::Module& module, torch::jit::Graph& graph) {
  std::optional<c10::Device> device;
  for (const at::Tensor& tensor : module.buffers()) device = tensor.device();
  for (const at::Tensor& tensor : module.parameters()) device = tensor.device();
  if (!device) return;
  for (Node* node : allNodes(graph)) {
    if (node->kind() != prim::Constant) continue;
    const auto value = torch::jit::toIValue(node->output());
    if (!value) continue;
    const bool movedTensor = value->isTensor() && value->toTensor().defined() &&
                             value->toTensor().dim() > 0 && value->toTensor().device() != *device;
    const bool movedDevice = value->isDevice() && value->toDevice() != *device;
    if (!movedTensor && !movedDevice) continue;
    const WithInsertPoint point(node);
    Value* moved =
        movedTensor ? graph.insertConstant(value->toTensor().to(*device)) : graph.insertConstant(*device);
    node->output()->replaceAllUsesWith(moved);
  }
}

}  // namespace

std::shared_ptr<torch::jit::Graph> inlined(const torch::jit::Module& module, torch::jit::Function& function) {
  auto graph = torch::jit::toGraphFunction(function).graph()->copy();
  torch::jit::Inline(*graph);
  while (inlineInterfaceCall(module, *graph)) torch::jit::Inline(*graph);
  return graph;
}

std::shared_ptr<torch::jit::Graph> prepared(const torch::jit::Module& module, torch::jit::Function& function,
                                            Mode mode) {
  auto graph = inlined(module, function);
  fixTraining(*graph, mode);
  removeOutput(*graph);
  moveConstants(module, *graph);
  fixAttributes(module, *graph);
  clean(graph);
  return graph;
}

void avoidFusedPaths(torch::jit::Graph& graph) {
  static const auto kAsks = c10::Symbol::fromQualString("aten::is_grad_enabled");
  for (Node* node : allNodes(graph)) {
    if (node->kind() != kAsks) continue;
    const WithInsertPoint point(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(true));
  }
}

std::vector<Unknown> opaqueCalls(torch::jit::Graph& graph) {
  static const std::set<std::string_view> kFused = {"aten::_transformer_encoder_layer_fwd",
                                                    "aten::_native_multi_head_attention"};
  std::vector<Unknown> unknowns;
  for (const Node* node : allNodes(graph)) {
    const std::string_view op = node->kind().toQualString();
    const auto report = [&](std::string reason) {
      unknowns.push_back({std::string(op), sourceOf(*node), std::move(reason)});
    };
    if (node->kind() == prim::CallMethod) {
      report(text("it calls '", node->s(attr::name), "' of an object that is known only when it runs"));
    } else if (node->kind() == prim::CallFunction) {
      report("it calls a function that cannot be inlined");
    } else if (node->kind() == prim::fork || node->kind() == c10::Symbol::fromQualString("prim::awaitable")) {
      report("what it starts runs beside the graph");
    } else if (kFused.count(op) > 0) {
      report("one operator computes several layers");
    } else if (op.substr(0, 11) == "quantized::") {
      report("its weights are packed");
    }
  }
  return unknowns;
}

}  // namespace espalier::ir
