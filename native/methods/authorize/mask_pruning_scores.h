#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "core/mask.h"
#include "core/prune/candidates.h"

namespace espalier {

// A binary mask over a model's frozen weights, learned through real scores (Mallya, Davis, Lazebnik 2018,
// Piggyback, arXiv 1801.06519): the network sees w 1[score > threshold], the gradient of a score is that of
// the weight which the network sees, times w, and Adam moves the scores.
//
// Lifetime: keeps the tensors of the model, which hold what the network sees. Part of a state, beside that
// model.
class LearnedMask {
 public:
  struct Options {
    double start = 0.01;  // of every score: nothing is pruned
    double threshold = 0.005;
    // Between them scores stay, or they would drift where they can never return from.
    double lowest = -0.02;
    double highest = 0.03;
  };

  LearnedMask() = default;
  // Over these weights. ERR_MODEL_UNSUPPORTED for other types than float32 and float64.
  LearnedMask(const std::vector<Candidate>& weights, const Options& options);

  // The parameters that are masked: what gradients are asked for.
  const std::vector<at::Tensor>& parameters() const { return effective_; }
  // One update of the scores from the parameters' gradients, which are dropped; then the mask is applied.
  void step(double learningRate, const at::Tensor& skip);
  // Puts back, of what is pruned, what has the highest scores, until at most `share` of all is.
  void limit(double share);

  int64_t weights() const;
  int64_t kept() const;
  // What is kept of weights that were under this mask at some step, whatever the scores are now. `dense`: the
  // digest of the model that they come from.
  std::shared_ptr<Mask> maskOf(const std::string& dense) const;

  template <class V>
  void fields(V&& visit) {
    visit("scores", scores_);
    visit("first", first_);
    visit("second", second_);
    visit("steps", steps_);
  }

 private:
  void apply();

  Options options_;
  std::vector<std::string> paths_;
  std::vector<at::Tensor> effective_;  // the model's own
  std::vector<at::Tensor> dense_;      // what they were
  std::vector<at::Tensor> scores_;
  std::vector<at::Tensor> first_;
  std::vector<at::Tensor> second_;
  std::vector<at::Tensor> steps_;
};

}  // namespace espalier
