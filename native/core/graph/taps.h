#pragma once

#include <memory>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

#include "core/graph/layers.h"

namespace espalier::ir {

// A copy of the graph that takes one more list of tensors a point and appends to it what passes there, which
// works inside branches and loops and for repeated calls alike. A value that is changed in place later is
// read before the change, without changing what the graph computes; where that cannot be done,
// ERR_MODEL_UNSUPPORTED.
std::shared_ptr<torch::jit::Graph> withTaps(torch::jit::Graph& graph, const LayerAnalysis& analysis,
                                            const std::vector<TapPoint>& points);

}  // namespace espalier::ir
