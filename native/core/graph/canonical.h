#pragma once

#include <string>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

namespace espalier::ir {

// What a graph computes as text: the operators in their order, with constants and attributes of the module
// written where they are read. It does not depend on how often a constant stands in the code, on the names
// of values, or on the numbers that loading puts into the names of classes. Constant tensors are appended
// to `constants`.
std::string canonicalText(torch::jit::Graph& graph, std::vector<at::Tensor>& constants);

}  // namespace espalier::ir
