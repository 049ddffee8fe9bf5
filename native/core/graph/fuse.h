#pragma once

#include <memory>

#include <torch/csrc/jit/ir/ir.h>

namespace espalier::ir {

// A copy of a prepared graph in which batch norm and the relu behind it, and the 2 x 2 maximum behind that,
// are one operator, where nothing else reads what is between them; so are relu and maximum alone, and the
// norm, the sum and the relu that end a residual block. Convolutions get their images channels-last. It
// computes the same but for rounding.
std::shared_ptr<torch::jit::Graph> fused(torch::jit::Graph& graph);

}  // namespace espalier::ir
