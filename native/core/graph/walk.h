#pragma once

#include <optional>
#include <string>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

namespace espalier::ir {

// Every node of a block and of the blocks inside it, in order.
inline void collectNodes(torch::jit::Block* block, std::vector<torch::jit::Node*>& nodes) {
  for (torch::jit::Node* node : block->nodes()) {
    nodes.push_back(node);
    for (torch::jit::Block* inner : node->blocks()) collectNodes(inner, nodes);
  }
}

inline std::vector<torch::jit::Node*> allNodes(torch::jit::Graph& graph) {
  std::vector<torch::jit::Node*> nodes;
  collectNodes(graph.block(), nodes);
  return nodes;
}

// The position of the argument `name` in the operator's schema.
std::optional<size_t> argumentIndex(const torch::jit::Node& node, std::string_view name);
// The value given for it; null when the operator has no such argument.
torch::jit::Value* argument(const torch::jit::Node& node, std::string_view name);

// File and line of the model's source, as TorchScript recorded it.
std::string sourceOf(const torch::jit::Node& node);

}  // namespace espalier::ir
