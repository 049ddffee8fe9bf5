#pragma once

#include <memory>
#include <vector>

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include "core/graph/graph.h"

namespace espalier::ir {

// A copy of a method's graph with every call inlined, those of interfaces by the object that stands there
// now. The module's own graphs are not touched.
std::shared_ptr<torch::jit::Graph> inlined(const torch::jit::Module& module, torch::jit::Function& function);

// The same for one mode: training flags fixed, attributes that never change turned into constants, branches
// and loops that these decide removed, constants on the module's device.
std::shared_ptr<torch::jit::Graph> prepared(const torch::jit::Module& module, torch::jit::Function& function,
                                            Mode mode);

// Makes code that asks whether gradients are on believe that they are: PyTorch's attention and encoders run
// one fused operator without them, in which no layer can be seen.
void avoidFusedPaths(torch::jit::Graph& graph);

// The parts of a prepared graph that stayed opaque calls.
std::vector<Unknown> opaqueCalls(torch::jit::Graph& graph);

}  // namespace espalier::ir
