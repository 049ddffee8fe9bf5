#include "core/graph/cost.h"

#include <numeric>
#include <unordered_map>

#include <torch/csrc/jit/ir/constants.h>

#include "core/graph/prepare.h"
#include "core/graph/walk.h"

namespace espalier::ir {

using torch::jit::Node;
using torch::jit::Value;
using torch::jit::WithInsertPoint;

namespace {

using Shape = std::vector<int64_t>;

int64_t elements(const Shape& shape, size_t from = 0) {
  return std::accumulate(shape.begin() + static_cast<ptrdiff_t>(std::min(from, shape.size())), shape.end(),
                         int64_t{1}, std::multiplies<>());
}

// Products by the names of their factors in the schema.
struct Product {
  const char* left;
  const char* right;
};

const std::unordered_map<std::string_view, Product>& products() {
  static const std::unordered_map<std::string_view, Product> kProducts = {
      {"aten::matmul", {"self", "other"}},
      {"aten::mm", {"self", "mat2"}},
      {"aten::bmm", {"self", "mat2"}},
      {"aten::mv", {"self", "vec"}},
      {"aten::dot", {"self", "tensor"}},
      {"aten::addmm", {"mat1", "mat2"}},
      {"aten::baddbmm", {"batch1", "batch2"}},
      {"aten::linear", {"input", "weight"}},
      {"aten::conv1d", {"input", "weight"}},
      {"aten::conv2d", {"input", "weight"}},
      {"aten::conv3d", {"input", "weight"}},
      {"aten::_convolution", {"input", "weight"}},
      {"aten::_convolution_mode", {"input", "weight"}},
      {"aten::convolution", {"input", "weight"}},
      {"aten::conv_transpose1d", {"input", "weight"}},
      {"aten::conv_transpose2d", {"input", "weight"}},
      {"aten::conv_transpose3d", {"input", "weight"}},
      {"aten::scaled_dot_product_attention", {"query", "key"}},
  };
  return kProducts;
}

bool isTransposedConvolution(const Node& node) {
  if (std::string_view(node.kind().toQualString()).starts_with("aten::conv_transpose")) return true;
  const Value* transposed = argument(node, "transposed");
  const auto constant = transposed == nullptr ? std::nullopt : torch::jit::toIValue(transposed);
  return constant && constant->isBool() && constant->toBool();
}

int64_t multiplyAccumulates(const Node& node, int64_t matrixElements, const Shape& input,
                            const Shape& operand, const Shape& output) {
  const std::string_view op = node.kind().toQualString();
  if (op == "aten::scaled_dot_product_attention") {
    // scores and their product with the values, for every pair of a query and a key
    const int64_t keys = operand.size() < 2 ? 0 : operand[operand.size() - 2];
    return (elements(input) + elements(output)) * keys;
  }
  if (op.find("conv") != std::string_view::npos) {
    return elements(isTransposedConvolution(node) ? input : output) * elements(operand, 1);
  }
  if (products().count(op) > 0) return elements(output) * (input.empty() ? 1 : input.back());
  // Recurrent layers: every matrix once a step and sample.
  if (matrixElements > 0 && !input.empty() && input.back() > 0) {
    return elements(input) / input.back() * matrixElements;
  }
  return 0;
}

}  // namespace

std::vector<Probe> findProbes(torch::jit::Graph& graph, const LayerAnalysis& analysis) {
  std::unordered_map<size_t, const LayerCall*> calls;
  for (const LayerCall& call : analysis.calls) calls[call.node] = &call;
  std::vector<Probe> probes;
  const std::vector<Node*> nodes = allNodes(graph);
  for (size_t at = 0; at < nodes.size(); ++at) {
    const Node& node = *nodes[at];
    const auto call = calls.find(at);
    const auto product = products().find(node.kind().toQualString());
    Probe probe;
    probe.node = at;
    if (product != products().end()) {
      const auto left = argumentIndex(node, product->second.left);
      if (!left) continue;
      probe.input = *left;
      probe.operand = argumentIndex(node, product->second.right);
    } else if (call == calls.end()) {
      continue;
    }
    if (call != calls.end()) {
      probe.layer = call->second->layer;
      if (product == products().end()) probe.input = call->second->input;
    }
    probes.push_back(probe);
  }
  return probes;
}

std::shared_ptr<torch::jit::Graph> withProbes(torch::jit::Graph& graph, const std::vector<Probe>& probes) {
  static const auto kAppend = c10::Symbol::fromQualString("aten::append");
  auto copy = graph.copy();
  const std::vector<Node*> nodes = allNodes(*copy);
  const auto listType = c10::ListType::create(c10::ListType::ofInts());
  Value* list = copy->addInput()->setType(listType);
  for (size_t i = 0; i < probes.size(); ++i) {
    const Probe& probe = probes[i];
    Node* node = nodes.at(probe.node);
    const WithInsertPoint point(node->next());
    const auto append = [&](Value* item) {
      copy->insertNode(copy->create(kAppend, {list, item}, 1))->output()->setType(listType);
    };
    const auto shapeOf = [&](Value* value) {
      Node* size = copy->insertNode(copy->create(c10::aten::size, {value}, 1));
      size->output()->setType(c10::ListType::ofInts());
      append(size->output());
    };
    append(copy->insertConstant(Shape{static_cast<int64_t>(i)}));
    shapeOf(node->input(probe.input));
    if (probe.operand) {
      shapeOf(node->input(*probe.operand));
    } else {
      append(copy->insertConstant(Shape{}));
    }
    shapeOf(node->output(0));
  }
  avoidFusedPaths(*copy);
  copy->lint();
  return copy;
}

std::vector<LayerCost> readCosts(torch::jit::Graph& graph, const LayerAnalysis& analysis,
                                 const std::vector<Probe>& probes,
                                 const c10::List<c10::List<int64_t>>& readings) {
  const std::vector<Node*> nodes = allNodes(graph);
  std::vector<LayerCost> costs;
  for (size_t i = 0; i + 3 < readings.size(); i += 4) {
    const Probe& probe = probes.at(static_cast<size_t>(readings.get(i).get(0)));
    const Shape input = readings.get(i + 1).vec();
    const Shape operand = readings.get(i + 2).vec();
    LayerCost cost{probe.layer, readings.get(i + 3).vec(), 0};
    const int64_t matrixElements =
        probe.layer == LayerCost::kNoLayer ? 0 : analysis.matrixElements.at(probe.layer);
    cost.multiplyAccumulates =
        multiplyAccumulates(*nodes.at(probe.node), matrixElements, input, operand, cost.outputShape);
    costs.push_back(std::move(cost));
  }
  return costs;
}

}  // namespace espalier::ir
