#include "core/archive/calls.h"

#include <algorithm>
#include <vector>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>

#include "core/graph/walk.h"

namespace espalier {

using torch::jit::Function;
using torch::jit::Node;

namespace {

bool isCall(const Node& node) {
  return node.kind() == c10::prim::CallMethod || node.kind() == c10::prim::CallFunction;
}

// Null where it is known only when it runs.
Function* calleeOf(const Node& node) {
  if (node.kind() == c10::prim::CallMethod) {
    const auto type = node.input(0)->type()->cast<c10::ClassType>();
    return type ? type->findMethod(node.s(c10::attr::name)) : nullptr;
  }
  const auto type = node.input(0)->type()->cast<c10::FunctionType>();
  return type ? type->function() : nullptr;
}

// With those of the graphs that nodes hold: what is forked is one.
std::vector<Node*> nodesOf(torch::jit::Graph& graph) {
  std::vector<Node*> nodes = ir::allNodes(graph);
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!nodes[i]->hasAttribute(c10::attr::Subgraph)) continue;
    const std::vector<Node*> inner = ir::allNodes(*nodes[i]->g(c10::attr::Subgraph));
    nodes.insert(nodes.end(), inner.begin(), inner.end());
  }
  return nodes;
}

}  // namespace

// Compiled code has no recursion: libtorch refuses a function that calls itself.
const Calls::Facts& Calls::factsOf(Function& function) {
  if (const auto found = known_.find(&function); found != known_.end()) return found->second;
  Facts facts;
  const auto* compiled = torch::jit::tryToGraphFunction(function);
  if (compiled != nullptr) {
    for (const Node* node : nodesOf(*compiled->graph())) {
      ++facts.operations;
      Function* callee = isCall(*node) ? calleeOf(*node) : nullptr;
      const bool isEndless = node->kind() == c10::prim::Loop || (isCall(*node) && callee == nullptr);
      if (isEndless && facts.endless == nullptr) facts.endless = node;
      if (callee == nullptr) continue;
      const Facts& inner = factsOf(*callee);
      facts.operations = std::min(kMost, facts.operations + inner.operations);
      if (facts.endless == nullptr) facts.endless = inner.endless;
    }
  }
  return known_.emplace(&function, facts).first->second;
}

uint64_t Calls::writtenOut(Function& function) { return factsOf(function).operations; }

const Node* Calls::mayNotEnd(Function& function) { return factsOf(function).endless; }

}  // namespace espalier
