#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/layers.h"

namespace espalier::ir {

// A graph cut in two at one of its values: head(encoder(x)) is what the whole computes.
struct SplitGraphs {
  std::shared_ptr<torch::jit::Graph> encoder;  // the module and the model's inputs -> the value
  std::shared_ptr<torch::jit::Graph> head;     // the module and the value -> the model's output
  std::vector<size_t> layers;                  // of the encoder
  std::string at;                              // what stands right behind the cut, for people
};

// Cuts behind the last call of `layer`; without one where the last spatial value goes into pooling over the
// whole image, flattening, or both. ERR_MODEL_UNSUPPORTED where there is none, or where the head needs more
// than that value.
SplitGraphs splitGraph(const torch::jit::Graph& graph, const LayerAnalysis& analysis,
                       const std::optional<size_t>& layer);

}  // namespace espalier::ir
