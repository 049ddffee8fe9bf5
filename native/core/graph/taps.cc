#include "core/graph/taps.h"

#include <algorithm>

#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/remove_mutation.h>

#include "core/error.h"
#include "core/graph/prepare.h"
#include "core/graph/walk.h"

namespace espalier::ir {

using torch::jit::AliasDb;
using torch::jit::Node;
using torch::jit::Use;
using torch::jit::Value;
using torch::jit::WithInsertPoint;
namespace prim = c10::prim;

namespace {

struct Tap {
  size_t point;
  Node* call;
  std::optional<size_t> input;  // which input of the call; none: its output
  Node* copy = nullptr;         // what later code reads in place of the value
  Value* source = nullptr;      // the value, once nothing changes it any more

  Value* value() const { return input ? call->input(*input) : call->output(0); }
  Node* insertionPoint() const { return copy != nullptr ? copy : input ? call : call->next(); }
};

bool isInside(const Node* node, const Node* owner) {
  for (; node != nullptr; node = node->owningBlock()->owningNode()) {
    if (node == owner) return true;
  }
  return false;
}

// Whether `node` may run after the tap is read: it stands behind it, or a loop holds both.
bool mayRunLater(const Node* node, const Tap& tap) {
  if (node == tap.call) return tap.input.has_value();
  if (node->isAfter(tap.call)) return true;
  for (const Node* owner = tap.call->owningBlock()->owningNode(); owner != nullptr;
       owner = owner->owningBlock()->owningNode()) {
    if (owner->kind() == prim::Loop && isInside(node, owner)) return true;
  }
  return false;
}

// Whether the operator writes to the module's own tensors: statistics of norms, counters. The alias analysis
// takes these for possible aliases of every input of the graph.
bool writesState(const Node& node) {
  if (node.kind() == c10::aten::batch_norm || node.kind() == c10::aten::instance_norm) return true;
  return !node.inputs().empty() && node.input(0)->node()->kind() == prim::GetAttr;
}

class Aliases {
 public:
  explicit Aliases(const std::shared_ptr<torch::jit::Graph>& graph) : db_(graph), nodes_(allNodes(*graph)) {}

  // The operator that changes the value in place after it was read; null when there is none.
  const Node* laterWriter(const Tap& tap) const {
    for (Node* node : nodes_) {
      if (node == tap.call || writesState(*node) || !mayRunLater(node, tap)) continue;
      if (db_.writesToAlias(node, {tap.value()})) return node;
    }
    return nullptr;
  }

  // Whether all that runs later can read a copy in the value's place: both stand in one block, and the same
  // memory has no other name that is still read.
  bool canCopy(const Tap& tap) const {
    const Value* value = tap.value();
    if (value->node()->owningBlock() != tap.call->owningBlock()) return false;
    for (const Node* node : nodes_) {
      if (mayRunLater(node, tap)) continue;
      for (const Value* other : node->outputs()) {
        if (other == value || !other->type()->isSubtypeOf(*c10::TensorType::get())) continue;
        const bool isRead = std::any_of(other->uses().begin(), other->uses().end(),
                                        [&](const Use& use) { return mayRunLater(use.user, tap); });
        if (isRead && db_.mayAlias(other, value)) return false;
      }
    }
    return true;
  }

 private:
  AliasDb db_;
  std::vector<Node*> nodes_;
};

std::vector<Tap> findTaps(torch::jit::Graph& graph, const LayerAnalysis& analysis,
                          const std::vector<TapPoint>& points) {
  const std::vector<Node*> nodes = allNodes(graph);
  std::vector<Tap> taps;
  for (size_t point = 0; point < points.size(); ++point) {
    for (const LayerCall& call : analysis.calls) {
      if (call.layer != points[point].layer) continue;
      std::optional<size_t> input;
      if (points[point].side == TapPoint::Side::kInput) input = call.input;
      taps.push_back({point, nodes.at(call.node), input});
    }
  }
  return taps;
}

void copyForLater(torch::jit::Graph& graph, Tap& tap) {
  Value* value = tap.value();
  const WithInsertPoint point(tap.insertionPoint());
  Value* duplicate = graph.insert(c10::aten::clone, {value});
  tap.copy = duplicate->node();
  const std::vector<Use> uses(value->uses().begin(), value->uses().end());
  for (const Use& use : uses) {
    if (use.user != tap.copy && mayRunLater(use.user, tap)) use.user->replaceInput(use.offset, duplicate);
  }
}

// Takes care that what is tapped is not changed in place after it was read.
void protect(const std::shared_ptr<torch::jit::Graph>& graph, std::vector<Tap>& taps, const Layer* layers,
             const std::vector<TapPoint>& points) {
  auto aliases = std::make_unique<Aliases>(graph);
  const auto isChanged = [&](const Tap& tap) { return aliases->laterWriter(tap) != nullptr; };
  if (std::any_of(taps.begin(), taps.end(), isChanged)) {
    // Layers do not work in place, so their nodes stay.
    torch::jit::RemoveTensorMutation(graph);
    aliases = std::make_unique<Aliases>(graph);
  }
  for (Tap& tap : taps) {
    tap.source = tap.value();
    const Node* writer = aliases->laterWriter(tap);
    if (writer == nullptr) continue;
    if (!aliases->canCopy(tap)) {
      fail(
          ErrorCode::kModelUnsupported, "cannot tap the ", tap.input ? "input" : "output", " of layer '",
          layers[points[tap.point].layer].path, "' (", sourceOf(*tap.call),
          "): the model changes it in place through another name; use operators that are not in place there");
    }
    copyForLater(*graph, tap);
    aliases = std::make_unique<Aliases>(graph);
  }
}

}  // namespace

std::shared_ptr<torch::jit::Graph> withTaps(torch::jit::Graph& graph, const LayerAnalysis& analysis,
                                            const std::vector<TapPoint>& points) {
  static const auto kAppend = c10::Symbol::fromQualString("aten::append");
  auto copy = graph.copy();
  std::vector<Tap> taps = findTaps(*copy, analysis, points);
  protect(copy, taps, analysis.layers.data(), points);
  std::vector<Value*> lists;
  lists.reserve(points.size());
  for (size_t point = 0; point < points.size(); ++point) {
    lists.push_back(copy->addInput()->setType(c10::ListType::ofTensors()));
  }
  for (const Tap& tap : taps) {
    const WithInsertPoint point(tap.insertionPoint());
    Node* append = copy->insertNode(copy->create(kAppend, {lists[tap.point], tap.source}, 1));
    append->output()->setType(c10::ListType::ofTensors());
  }
  avoidFusedPaths(*copy);
  copy->lint();
  return copy;
}

}  // namespace espalier::ir
