#pragma once

#include <memory>

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

namespace espalier::ir {

// A prepared eval graph with the module's tensors as constants and batch norms folded into what they follow;
// null when the model writes its own state. It shares the tensors that it did not fold.
std::shared_ptr<torch::jit::Graph> frozen(const torch::jit::Module& module, torch::jit::Graph& graph);

}  // namespace espalier::ir
