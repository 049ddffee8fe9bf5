#pragma once

#include <vector>

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include "core/graph/graph.h"

namespace espalier::ir {

// A node that computes a layer.
struct LayerCall {
  size_t layer = 0;
  size_t node = 0;   // its position among allNodes(graph), the same in every copy of the graph
  size_t input = 0;  // which of its inputs is what the layer reads
};

struct LayerAnalysis {
  std::vector<Layer> layers;
  std::vector<LayerCall> calls;  // in the order of the code
  std::vector<Unknown> unknowns;
  std::vector<int64_t> matrixElements;  // of each recurrent layer: elements of all its matrices; else 0
};

LayerAnalysis findLayers(const torch::jit::Module& module, torch::jit::Graph& graph);

}  // namespace espalier::ir
