#pragma once

#include <memory>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

#include "core/graph/layers.h"

namespace espalier::ir {

// An operator whose multiplications are counted: a layer call or another product.
struct Probe {
  size_t layer = LayerCost::kNoLayer;
  size_t node = 0;                // position among allNodes(graph)
  size_t input = 0;               // which of its inputs is what it reads
  std::optional<size_t> operand;  // what that is multiplied with, when it is one tensor
};

std::vector<Probe> findProbes(torch::jit::Graph& graph, const LayerAnalysis& analysis);

// A copy of the graph that takes one more list of lists of integers and appends four for every probe that
// runs: { its position among `probes` }, and the shapes of input, operand and output.
std::shared_ptr<torch::jit::Graph> withProbes(torch::jit::Graph& graph, const std::vector<Probe>& probes);

std::vector<LayerCost> readCosts(torch::jit::Graph& graph, const LayerAnalysis& analysis,
                                 const std::vector<Probe>& probes,
                                 const c10::List<c10::List<int64_t>>& readings);

}  // namespace espalier::ir
