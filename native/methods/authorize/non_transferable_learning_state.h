#pragma once

#include <optional>
#include <vector>

#include "core/split_model.h"
#include "core/train/best_iterate.h"
#include "core/train/trainer.h"
#include "methods/authorize/non_transferable_learning_fields.h"

// What authorize.nonTransferableLearning trains, and the body of its phase.
namespace espalier::non_transferable_learning {

// The losses by sample, and the discrepancy, one element, before weights and caps.
struct Terms {
  at::Tensor source;
  at::Tensor target;
  at::Tensor discrepancy;  // undefined: off
};

// L_S - min(capTarget, alpha L_T) min(capDiscrepancy, beta MMD), what is minimised (Wang et al. 2022, eq. 1
// to 3); the target's cap is on the mean, or on each sample's loss. With reduction 'elementwise' both losses
// are the divergence from the one-hot label averaged over samples and classes, as the official code computes
// it: the cross-entropy over the number of classes.
at::Tensor objective(const Terms& terms, int64_t classes, const Options& options);

// Figures of one step, summed on the device.
enum Figure { kSourceLoss, kTargetLoss, kDiscrepancy, kFigures };

struct State {
  // Given, the same on resume.
  const Options* options = nullptr;
  std::optional<FitData> source;
  std::optional<SelectData> sourceSelect;
  int64_t classes = 0;
  double floor = 0;  // least source accuracy on select data
  SplitModel split;  // of model

  std::shared_ptr<Model> model;
  Optimizer optimizer;
  at::Tensor sums;    // since the last reading, [kFigures]
  int64_t count = 0;  // of its steps
  int64_t steps = 0;
  std::vector<Reading> readings;
  BestIterate best;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("optimizer", optimizer);
    visit("sums", sums);
    visit("count", count);
    visit("steps", steps);
    visit("readings", readings, kCollected);
    visit("best", best, kCollected);
  }
};

// The source's batch first, then one of each target, of which each step uses one, in turn. Without targets
// the source's loss alone is minimised.
void step(State& state, const Batches& batches, StepContext& context);
void endReading(State& state, int64_t index, Job& job);

}  // namespace espalier::non_transferable_learning
