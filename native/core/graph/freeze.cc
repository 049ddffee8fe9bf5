#include "core/graph/freeze.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/frozen_graph_optimizations.h>
#include <torch/csrc/jit/passes/peephole.h>

#include "core/graph/resolve.h"
#include "core/graph/walk.h"

namespace espalier::ir {

using torch::jit::Node;
using torch::jit::WithInsertPoint;
namespace prim = c10::prim;

namespace {

bool writesState(const Node& node, const Resolver& resolver) {
  if (node.kind() == prim::SetAttr || node.kind() == prim::CallMethod || node.kind() == prim::CallFunction) {
    return true;
  }
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr || !schema->is_mutable()) return false;
  for (const torch::jit::Value* input : node.inputs()) {
    const auto found = resolver.attribute(input);
    // In eval mode a norm only reads its statistics, though its schema could write them.
    if (found && node.kind() != c10::aten::batch_norm && node.kind() != c10::aten::instance_norm) return true;
  }
  return false;
}

}  // namespace

std::shared_ptr<torch::jit::Graph> frozen(const torch::jit::Module& module, torch::jit::Graph& graph) {
  const at::NoGradGuard noGrad;
  auto copy = graph.copy();
  const Resolver resolver(module, *copy);
  const std::vector<Node*> nodes = allNodes(*copy);
  for (const Node* node : nodes) {
    if (writesState(*node, resolver)) return nullptr;
  }
  for (Node* node : nodes) {
    if (node->kind() != prim::GetAttr) continue;
    const auto found = resolver.attribute(node->output());
    if (!found) return nullptr;
    if (found->value.isObject()) continue;
    c10::IValue value = found->value;
    if (value.isTensor() && value.toTensor().defined()) value = value.toTensor().detach();
    if (value.isTensorList()) {
      c10::List<at::Tensor> detached;
      for (const at::Tensor& tensor : value.toTensorVector()) detached.push_back(tensor.detach());
      value = detached;
    }
    const WithInsertPoint point(node);
    if (const auto constant = torch::jit::tryInsertConstant(*copy, value)) {
      node->output()->replaceAllUsesWith(*constant);
    }
  }
  torch::jit::ConstantPropagation(copy);
  torch::jit::PeepholeOptimize(copy);
  torch::jit::EliminateDeadCode(copy);
  torch::jit::OptimizeFrozenGraph(copy);
  return copy;
}

}  // namespace espalier::ir
