#pragma once

#include <string>
#include <vector>

#include <torch/types.h>

#include "core/model.h"

namespace espalier {

// Which weights of a model a method prunes: shell patterns over their paths.
struct WeightPatterns {
  std::vector<std::string> include;  // none: every conv, linear and transposed-conv weight
  std::vector<std::string> exclude;
  template <class V>
  void fields(V&& visit) {
    visit("include", include);
    visit("exclude", exclude);
  }
};

// What is cut or kept as one.
enum class PruningUnit {
  kWeight,
  kRowGroup,  // some neighbours along a row
  kChannel,   // a whole row
};

// A weight that may be pruned; its rows are output channels.
struct Candidate {
  std::string path;
  at::Tensor weight;  // the model's own
  int64_t outputDim = 0;

  // `tensor`, of the weight's shape, as [channels, weights of a channel].
  at::Tensor rows(const at::Tensor& tensor) const;
};

// In the order of the model's parameters, a tied weight once. Rows need two dimensions, and the channels of
// the last layer are classes: it is no candidate for them unless it is included. None left is
// ERR_MODEL_UNSUPPORTED; a pattern to include that fits no parameter is ERR_OUT_OF_RANGE.
std::vector<Candidate> pruningCandidates(const Model& model, const WeightPatterns& patterns,
                                         PruningUnit unit = PruningUnit::kWeight);

}  // namespace espalier
