#pragma once

#include <memory>

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include "core/graph/graph.h"

// Train and eval: scripted code reads the module's `training` flags, traced code has the flag of the trace
// baked into its operators as a constant.
namespace espalier::ir {

// Replaces every read of a `training` flag, and every baked flag, by the constant of `mode`. Norms without
// running statistics keep theirs: they have nothing else to normalise with.
void fixTraining(torch::jit::Graph& graph, Mode mode);

// Replaces every baked flag by a read of the root's `training`.
void readTraining(torch::jit::Graph& graph);

// Whether tracing baked a flag in as true, so that the code as it stands would train in eval mode.
bool hasBakedTraining(torch::jit::Graph& graph);

// Whether this operator draws random numbers, as far as its constants tell.
bool drawsRandomNumbers(const torch::jit::Node& node);

}  // namespace espalier::ir
