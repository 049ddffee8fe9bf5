#pragma once

#include <optional>
#include <vector>

#include "core/train/best_iterate.h"
#include "core/train/trainer.h"
#include "methods/authorize/mask_pruning_fields.h"
#include "methods/authorize/mask_pruning_scores.h"

// What authorize.maskPruning trains, and the body of its phase.
namespace espalier::mask_pruning {

// L_S - min(lambda L_T, beta), what is minimised, means of the losses by sample; one element. Targets
// undefined: L_S alone.
at::Tensor objective(const at::Tensor& sourceLosses, const at::Tensor& targetLosses, const Options& options);

// Figures of one step, summed on the device.
enum Figure { kSourceLoss, kTargetLoss, kFigures };

struct State {
  // Given, the same on resume.
  const Options* options = nullptr;
  std::optional<SelectData> sourceSelect;
  double floor = 0;  // least source accuracy on select data
  // By target: the given model's answers to its fit data, int64 [samples]; empty where labels are given.
  std::vector<at::Tensor> pseudoLabels;

  std::shared_ptr<Model> model;  // its weights are those under the mask
  LearnedMask mask;
  at::Tensor sums;    // since the last reading, [kFigures]
  int64_t count = 0;  // of its steps
  int64_t steps = 0;
  std::vector<Reading> readings;
  BestIterate best;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("mask", mask);
    visit("sums", sums);
    visit("count", count);
    visit("steps", steps);
    visit("readings", readings);
    visit("best", best);
  }
};

// The source's batch first, then one of each target, of which each step uses one, in turn. Without targets
// the source's loss alone is minimised.
void step(State& state, const Batches& batches, StepContext& context);
void endReading(State& state, int64_t index, Job& job);

}  // namespace espalier::mask_pruning
