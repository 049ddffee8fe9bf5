#include "core/graph/split.h"

#include <algorithm>
#include <unordered_set>

#include <torch/csrc/jit/ir/alias_analysis.h>

#include "core/error.h"
#include "core/graph/walk.h"

namespace espalier::ir {

using torch::jit::Node;
using torch::jit::Use;
using torch::jit::Value;

namespace {

bool isOneOf(const Node& node, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return node.kind() == c10::Symbol::fromQualString(name); });
}

bool isConvolution(LayerKind kind) {
  return kind == LayerKind::kConv1d || kind == LayerKind::kConv2d || kind == LayerKind::kConv3d ||
         kind == LayerKind::kConvTranspose;
}

// The last convolution, and the first product that reads it; nothing where either is missing.
struct Border {
  const LayerCall* convolution = nullptr;
  const LayerCall* product = nullptr;
};

Border findBorder(const LayerAnalysis& analysis) {
  Border border;
  for (const LayerCall& call : analysis.calls) {
    const LayerKind kind = analysis.layers[call.layer].kind;
    if (isConvolution(kind)) {
      border = {&call, nullptr};
    } else if (kind == LayerKind::kLinear && border.product == nullptr) {
      border.product = &call;
    }
  }
  return border;
}

// Goes back from what the head's first product reads, over what flattens, to the last value with pixels.
Value* findSpatialValue(const std::vector<Node*>& nodes, const LayerAnalysis& analysis) {
  const Border border = findBorder(analysis);
  if (border.convolution == nullptr || border.product == nullptr) return nullptr;
  const Node* product = nodes.at(border.product->node);
  Value* value = const_cast<Node*>(product)->input(border.product->input);
  bool flattened = false;
  while (isOneOf(*value->node(), {"aten::flatten", "aten::view", "aten::reshape", "aten::squeeze",
                                  "aten::contiguous", "aten::dropout", "aten::feature_dropout"})) {
    flattened = true;
    value = value->node()->input(0);
  }
  if (isOneOf(*value->node(),
              {"aten::adaptive_avg_pool2d", "aten::adaptive_avg_pool1d", "aten::adaptive_avg_pool3d",
               "aten::adaptive_max_pool2d", "aten::avg_pool2d", "aten::mean", "aten::amax"})) {
    flattened = true;
    value = value->node()->input(0);
  }
  return flattened ? value : nullptr;
}

std::string nameOf(const Node* node) {
  return node == nullptr ? "the output" : node->kind().toUnqualString();
}

// All that a node reads, what its inner blocks read included.
void collectInputs(const Node* node, std::unordered_set<const Value*>& values) {
  values.insert(node->inputs().begin(), node->inputs().end());
  for (const torch::jit::Block* block : node->blocks()) {
    for (const Node* inner : block->nodes()) collectInputs(inner, values);
    values.insert(block->outputs().begin(), block->outputs().end());
  }
}

void destroyAll(std::vector<Node*>& nodes) {
  std::for_each(nodes.rbegin(), nodes.rend(), [](Node* node) { node->destroy(); });
}

std::vector<Node*> topLevel(torch::jit::Graph& graph) {
  auto nodes = graph.nodes();
  return {nodes.begin(), nodes.end()};
}

// Keeps all that stands up to the value, effects such as a norm's statistics included.
void keepEncoder(torch::jit::Graph& graph, Value* value) {
  graph.eraseOutput(0);
  graph.registerOutput(value);
  std::vector<Node*> behind;
  for (Node* node : topLevel(graph)) {
    if (node->isAfter(value->node())) behind.push_back(node);
  }
  destroyAll(behind);
}

// Keeps what the output needs, with the value as an input, a copy of it with `copied`. False where it needs
// the model's inputs too.
bool keepHead(torch::jit::Graph& graph, Value* value, bool copied) {
  Value* features = graph.addInput("features")->setType(c10::TensorType::get());
  if (copied) {
    const torch::jit::WithInsertPoint point(value->node()->next());
    features = graph.insert(c10::aten::clone, {features});
  }
  value->replaceAllUsesWith(features);
  std::unordered_set<const Value*> needed(graph.outputs().begin(), graph.outputs().end());
  std::vector<Node*> unneeded;
  std::vector<Node*> nodes = topLevel(graph);
  for (auto at = nodes.rbegin(); at != nodes.rend(); ++at) {
    const auto outputs = (*at)->outputs();
    if (std::any_of(outputs.begin(), outputs.end(),
                    [&](const Value* each) { return needed.count(each) > 0; })) {
      collectInputs(*at, needed);
    } else {
      unneeded.insert(unneeded.begin(), *at);
    }
  }
  destroyAll(unneeded);
  const size_t last = graph.inputs().size() - 1;
  for (size_t i = last - 1; i >= 1; --i) {
    if (graph.inputs()[i]->hasUses()) return false;
    graph.eraseInput(i);
  }
  return true;
}

// Two heads may read the same features: neither may write them.
bool isWrittenLater(const std::shared_ptr<torch::jit::Graph>& graph, const Value* value) {
  const torch::jit::AliasDb aliases(graph);
  for (Node* node : topLevel(*graph)) {
    if (node->isAfter(value->node()) && !isOneOf(*node, {"aten::batch_norm"}) &&
        aliases.writesToAlias(node, {value})) {
      return true;
    }
  }
  return false;
}

}  // namespace

SplitGraphs splitGraph(const torch::jit::Graph& graph, const LayerAnalysis& analysis,
                       const std::optional<size_t>& layer) {
  const std::shared_ptr<torch::jit::Graph> whole = const_cast<torch::jit::Graph&>(graph).copy();
  const auto find = [&](const std::vector<Node*>& nodes) -> Value* {
    if (!layer) return findSpatialValue(nodes, analysis);
    Value* value = nullptr;
    for (const LayerCall& call : analysis.calls) {
      if (call.layer == *layer) value = nodes.at(call.node)->output(0);
    }
    return value;
  };
  Value* value = find(allNodes(*whole));
  if (value == nullptr || value->node()->kind() == c10::prim::Param) {
    fail(ErrorCode::kModelUnsupported,
         "expected a model with convolutions, then pooling or flattening, then a linear head, found no such "
         "place to split it at: name the last layer of its encoder as split");
  }
  const std::string place =
      layer ? text("layer '", analysis.layers[*layer].path, "'") : "the last spatial layer";
  if (value->node()->owningBlock() != whole->block()) {
    fail(ErrorCode::kModelUnsupported, "cannot split the model behind ", place, " (",
         sourceOf(*value->node()),
         "): it stands inside a branch or loop; name a layer outside of them as split");
  }
  SplitGraphs split;
  const auto& uses = value->uses();
  split.at = nameOf(uses.empty() ? nullptr : uses.front().user);
  const std::vector<Node*> nodes = allNodes(*whole);
  const auto position =
      static_cast<size_t>(std::find(nodes.begin(), nodes.end(), value->node()) - nodes.begin());
  const auto copyAt = [&](std::shared_ptr<torch::jit::Graph>& copy) {
    copy = whole->copy();
    return allNodes(*copy).at(position)->output(value->offset());
  };
  keepEncoder(*split.encoder, copyAt(split.encoder));
  if (!keepHead(*split.head, copyAt(split.head), isWrittenLater(whole, value))) {
    fail(ErrorCode::kModelUnsupported, "cannot split the model behind ", place, " (",
         sourceOf(*value->node()),
         "): its output needs more than what passes there; name a layer that all paths go through as split");
  }
  for (const LayerCall& call : analysis.calls) {
    if (call.node <= position &&
        std::find(split.layers.begin(), split.layers.end(), call.layer) == split.layers.end()) {
      split.layers.push_back(call.layer);
    }
  }
  split.encoder->lint();
  split.head->lint();
  return split;
}

}  // namespace espalier::ir
