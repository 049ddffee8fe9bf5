#include "core/archive/calls.h"

#include <algorithm>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>

#include "core/graph/walk.h"

namespace espalier {

using torch::jit::Function;
using torch::jit::Node;

namespace {

Function* calleeOf(const Node& node) {
  if (node.kind() == c10::prim::CallMethod) {
    const auto type = node.input(0)->type()->cast<c10::ClassType>();
    return type ? type->findMethod(node.s(c10::attr::name)) : nullptr;
  }
  if (node.kind() == c10::prim::CallFunction) {
    const auto type = node.input(0)->type()->cast<c10::FunctionType>();
    return type ? type->function() : nullptr;
  }
  return nullptr;
}

}  // namespace

// Compiled code has no recursion: libtorch refuses a function that calls itself.
const Calls::Facts& Calls::factsOf(Function& function) {
  if (const auto found = known_.find(&function); found != known_.end()) return found->second;
  Facts facts;
  const auto* compiled = torch::jit::tryToGraphFunction(function);
  if (compiled != nullptr) {
    for (const Node* node : ir::allNodes(*compiled->graph())) {
      ++facts.operations;
      if (node->kind() == c10::prim::Loop && facts.loop == nullptr) facts.loop = node;
      Function* callee = calleeOf(*node);
      if (callee == nullptr) continue;
      const Facts& inner = factsOf(*callee);
      facts.operations = std::min(kMost, facts.operations + inner.operations);
      if (facts.loop == nullptr) facts.loop = inner.loop;
    }
  }
  return known_.emplace(&function, facts).first->second;
}

uint64_t Calls::writtenOut(Function& function) { return factsOf(function).operations; }

const Node* Calls::loopIn(Function& function) { return factsOf(function).loop; }

}  // namespace espalier
