#pragma once

#include <optional>
#include <vector>

#include "core/train/best_iterate.h"
#include "core/train/trainer.h"
#include "methods/authorize/mask_pruning_imagination.h"
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
  std::optional<SelectData> sourceSelect;  // of a source that is there
  double floor = 0;                        // least sourceAccuracy
  // By target: the given model's answers to its fit data, int64 [samples]; empty where labels are given.
  std::vector<at::Tensor> pseudoLabels;

  std::optional<Imagination> imagination;  // where the source is not there
  std::shared_ptr<Model> model;            // its weights are those under the mask
  LearnedMask mask;
  at::Tensor sums;    // since the last reading, [kFigures]
  int64_t count = 0;  // of its steps
  int64_t steps = 0;
  std::vector<Reading> readings;
  BestIterate best;
  template <class V>
  void fields(V&& visit) {
    visit("imagination", imagination);
    visit("model", model);
    visit("mask", mask);
    visit("sums", sums);
    visit("count", count);
    visit("steps", steps);
    visit("readings", readings, kCollected);
    visit("best", best, kCollected);
  }
};

// A step of the mask. The source's batch first, or none where it is imagined, then one of each target, of
// which each step uses one, in turn; where no data is there neighbours of the imagined images. With lambda 0
// the source's loss alone is minimised.
void step(State& state, const Batches& batches, StepContext& context);
void endReading(State& state, int64_t index, Job& job);

// Steps of what imagines.
void generatorStep(State& state, const Batches& batches, StepContext& context);
void endGenerator(State& state, int64_t index, Job& job);
void diversifierStep(State& state, const Batches& batches, StepContext& context);
void endDiversifier(State& state, int64_t index, Job& job);

// What stands for the accuracy on the source: on its select data, or agreement with the original on images
// made for it.
double sourceAccuracy(const State& state, const Model& model, Job& job);

}  // namespace espalier::mask_pruning
