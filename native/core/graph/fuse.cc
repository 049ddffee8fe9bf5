#include "core/graph/fuse.h"

#include <algorithm>
#include <optional>

#include <torch/csrc/jit/ir/constants.h>

#include "core/graph/walk.h"

namespace espalier::ir {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

bool is(const Node* node, std::initializer_list<const char*> names) {
  const std::string_view kind = node->kind().toQualString();
  return std::any_of(names.begin(), names.end(), [kind](const char* name) { return kind == name; });
}

// The node of the same block that alone reads what `node` returns.
Node* onlyReader(Node* node) {
  if (node->outputs().size() != 1 || node->output()->uses().size() != 1) return nullptr;
  Node* reader = node->output()->uses().front().user;
  return reader->owningBlock() == node->owningBlock() ? reader : nullptr;
}

// The same, where it reads it as its first input.
Node* onlyLayerBehind(Node* node) {
  Node* reader = onlyReader(node);
  return reader != nullptr && reader->input(0) == node->output() ? reader : nullptr;
}

bool isConstant(const Value* value, const c10::IValue& expected) {
  const auto found = torch::jit::toIValue(value);
  return found && *found == expected;
}

bool isPair(const Value* value, int64_t each) {
  return isConstant(value, c10::IValue(c10::List<int64_t>({each, each})));
}

// max_pool2d(input, kernel, stride, padding, dilation, ceil_mode) of windows of 2 x 2 side by side.
bool isPoolOfTwo(const Node* node) {
  if (!is(node, {"aten::max_pool2d"})) return false;
  const bool strides =
      isPair(node->input(2), 2) || isConstant(node->input(2), c10::IValue(c10::List<int64_t>()));
  return isPair(node->input(1), 2) && strides && isPair(node->input(3), 0) && isPair(node->input(4), 1) &&
         isConstant(node->input(5), c10::IValue(false));
}

// In the place of `first`: what the two to three nodes read is there, and what is changed in place later is
// not yet.
void replace(Graph& graph, Node* first, Node* last, const char* op, const std::vector<Value*>& inputs) {
  const torch::jit::WithInsertPoint point(first);
  Node* node = graph.insertNode(graph.create(c10::Symbol::fromQualString(op), inputs));
  node->output()->setType(last->output()->type());
  last->output()->replaceAllUsesWith(node->output());
  for (Node* each = last; each != nullptr;) {
    Node* before = each == first ? nullptr : each->input(0)->node();
    each->destroy();
    each = before;
  }
}

bool isConvolution(const Node* node) {
  return is(node, {"aten::conv2d", "aten::_convolution", "aten::convolution"});
}

bool isRelu(const Node* node) { return is(node, {"aten::relu", "aten::relu_"}); }

// Whether a value is a tensor of its own that nothing else reads: it may be left unchanged where the code
// changes it.
bool isOwn(const Value* value) {
  return value->uses().size() == 1 &&
         (is(value->node(), {"aten::batch_norm"}) || isConvolution(value->node()));
}

// Images come to a convolution in the layout that it and the fused operators behind it are fast in; its
// output keeps it, so that only the first of a row has something to do.
void layOut(Graph& graph, Node* convolution) {
  const torch::jit::WithInsertPoint point(convolution);
  Node* node = graph.insertNode(
      graph.create(c10::Symbol::fromQualString("espalier_graph::channels_last"), {convolution->input(0)}));
  node->output()->setType(c10::TensorType::get());
  convolution->replaceInput(0, node->output());
}

// A sum of two tensors: which of the two it is written over decides on its type and shape.
struct Sum {
  Value* other = nullptr;
  int64_t over = 0;  // 0: neither, 1: the norm, 2: the other
};

// Of a norm and something else; none where it is written over what something else reads, now or in the next
// turn of a loop.
std::optional<Sum> sumOf(const Node* sum, const Value* norm) {
  if (!is(sum, {"aten::add", "aten::add_"}) || sum->inputs().size() != 3) return std::nullopt;
  const bool isFirst = sum->input(0) == norm;
  Value* other = sum->input(isFirst ? 1 : 0);
  if (!isConstant(sum->input(2), c10::IValue(1)) || !other->type()->isSubtypeOf(*c10::TensorType::get()))
    return std::nullopt;
  if (is(sum, {"aten::add"})) return Sum{other, 0};
  if (isFirst) return Sum{other, 1};
  const bool isFree = isOwn(other) && other->node()->owningBlock() == sum->owningBlock();
  return isFree ? std::optional(Sum{other, 2}) : std::nullopt;
}

// Whether a node reads a value, or an attribute of the same name.
bool reads(const Node* node, const Value* value) {
  if (value->mustBeNone()) return false;
  const auto inputs = node->inputs();
  if (std::find(inputs.begin(), inputs.end(), value) != inputs.end()) return true;
  const Node* source = value->node();
  return node->kind() == c10::prim::GetAttr && source->kind() == c10::prim::GetAttr &&
         node->s(c10::attr::name) == source->s(c10::attr::name);
}

// Whether a norm may as well run where its reader does: nothing between the two changes what it reads, or
// reads what it writes.
bool mayWait(Node* norm, const Node* reader) {
  for (Node* node = norm->next(); node != reader; node = node->next()) {
    const c10::FunctionSchema* schema = node->maybeSchema();
    const bool writes = schema != nullptr && schema->is_mutable();
    // Norms write their statistics, whatever their schema says.
    if (writes || node->hasSideEffects() || !node->blocks().empty() ||
        is(node, {"aten::batch_norm", "aten::instance_norm"}) || reads(node, norm->input(3)) ||
        reads(node, norm->input(4))) {
      return false;
    }
  }
  return true;
}

// relu(norm + other), in the place of the sum.
bool fuseSum(Graph& graph, Node* norm) {
  Node* sum = onlyReader(norm);
  if (sum == nullptr) return false;
  const std::optional<Sum> parts = sumOf(sum, norm->output());
  if (!parts) return false;
  Node* relu = onlyLayerBehind(sum);
  if (relu == nullptr || !isRelu(relu) || !mayWait(norm, sum)) return false;
  std::vector<Value*> inputs = norm->inputs().slice(0, 3).vec();
  inputs.push_back(parts->other);
  for (const size_t i : {3, 4, 5, 6, 7}) inputs.push_back(norm->input(i));
  const torch::jit::WithInsertPoint point(sum);
  inputs.push_back(graph.insertConstant(parts->over));
  Node* node = graph.insertNode(
      graph.create(c10::Symbol::fromQualString("espalier_graph::batch_norm_add_relu"), inputs));
  node->output()->setType(relu->output()->type());
  relu->output()->replaceAllUsesWith(node->output());
  for (Node* each : {relu, sum, norm}) each->destroy();
  return true;
}

bool fuseOne(Graph& graph) {
  for (Node* node : allNodes(graph)) {
    if (is(node, {"aten::adaptive_avg_pool2d"})) {
      replace(graph, node, node, "espalier_graph::average_pool", {node->input(0), node->input(1)});
      return true;
    }
    // batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled)
    const bool isNorm = is(node, {"aten::batch_norm"});
    if (isNorm && fuseSum(graph, node)) return true;
    Node* relu = isNorm ? onlyLayerBehind(node) : node;
    if (relu == nullptr || !isRelu(relu)) continue;
    Node* pool = onlyLayerBehind(relu);
    const bool pooled = pool != nullptr && isPoolOfTwo(pool);
    if (isNorm) {
      std::vector<Value*> inputs;
      for (const size_t i : {0, 1, 2, 3, 4, 5, 6, 7}) inputs.push_back(node->input(i));
      {
        const torch::jit::WithInsertPoint point(node);
        inputs.push_back(graph.insertConstant(pooled));
      }
      replace(graph, node, pooled ? pool : relu, "espalier_graph::batch_norm_relu", inputs);
      return true;
    }
    if (!pooled || (is(relu, {"aten::relu_"}) && !isOwn(relu->input(0)))) continue;
    replace(graph, relu, pool, "espalier_graph::relu_pool", {relu->input(0)});
    return true;
  }
  return false;
}

}  // namespace

std::shared_ptr<Graph> fused(Graph& graph) {
  auto copy = graph.copy();
  while (fuseOne(*copy)) {
  }
  for (Node* node : allNodes(*copy)) {
    if (isConvolution(node)) layOut(*copy, node);
  }
  return copy;
}

}  // namespace espalier::ir
