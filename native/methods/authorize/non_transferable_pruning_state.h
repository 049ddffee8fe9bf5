#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/split_model.h"
#include "core/train/best_iterate.h"
#include "core/train/trainer.h"
#include "methods/authorize/non_transferable_pruning_fields.h"

// What authorize.nonTransferablePruning trains, and the bodies of its phases.
namespace espalier::non_transferable_pruning {

// Figures of one step, summed on the device.
enum Figure {
  kSourceLoss,
  kSourceHits,
  kTargetLoss,
  kFisherRatio,
  kDiscrepancy,
  kAttackerLoss,
  kGate,
  kPenalty,
  kFigures,
};

struct State {
  // Given, the same on resume.
  const Options* options = nullptr;
  Weights weights;
  uint64_t seed = 0;
  std::optional<FitData> source;
  std::optional<SelectData> sourceSelect;
  int64_t classes = 0;
  double floor = 0;          // least source accuracy on select data
  SplitModel split;          // of model
  SplitModel attackerSplit;  // of attacker
  std::vector<SplitModel> targetHeads;
  std::vector<at::Tensor> trained;  // the encoder's parameters that have a gradient
  std::vector<at::Tensor> masks;    // parallel to them; undefined where nothing is pruned
  std::vector<std::string> prunedPaths;
  std::vector<size_t> prunedAt;          // positions of the pruned ones among the trained
  std::vector<at::Tensor> prunedBefore;  // masks of the zeros of a model that was pruned before, else empty
  std::vector<at::Tensor> attacked;      // the attacker's parameters, those of its encoder as in `trained`
  int64_t headSteps = 0;                 // at the start of each iteration
  int64_t prunedWeights = 0;

  std::shared_ptr<Model> model;
  std::vector<std::shared_ptr<Model>> headModels;  // of which only the heads are trained
  std::vector<Optimizer> headOptimizers;
  std::shared_ptr<Model> attacker;  // null without
  Optimizer attackerOptimizer;
  int64_t attackerSteps = 0;
  int64_t restarts = 0;
  at::Tensor sourceMean;  // exponential mean of the source loss, not a number before the first step
  Optimizer optimizer;
  std::vector<at::Tensor> kept;    // masks of the pruned ones, what `masks` holds too
  std::vector<at::Tensor> sparse;  // Z
  std::vector<at::Tensor> duals;   // U
  at::Tensor sums;                 // of the running iteration, [kFigures]
  int64_t count = 0;               // of its steps
  int64_t samples = 0;
  int64_t steps = 0;
  double lastObjective = 0;
  bool done = false;
  std::vector<IterationReport> iterations;
  std::vector<PolishReport> polish;
  BestIterate best;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("headModels", headModels);
    visit("headOptimizers", headOptimizers);
    visit("attacker", attacker);
    visit("attackerOptimizer", attackerOptimizer);
    visit("attackerSteps", attackerSteps);
    visit("restarts", restarts);
    visit("sourceMean", sourceMean);
    visit("optimizer", optimizer);
    visit("kept", kept);
    visit("sparse", sparse);
    visit("duals", duals);
    visit("sums", sums);
    visit("count", count);
    visit("samples", samples);
    visit("steps", steps);
    visit("lastObjective", lastObjective);
    visit("done", done);
    visit("iterations", iterations, kCollected);
    visit("polish", polish, kCollected);
    visit("best", best, kCollected);
  }

  std::vector<at::Tensor> pruned() const;  // W, detached
};

// The source's batch first, then one of each target.
void headStep(State& state, const Batches& batches, StepContext& context);
void protectStep(State& state, const Batches& batches, StepContext& context);
void polishStep(State& state, const Batches& batches, StepContext& context);

// The updates of Z, U and the mask.
void endIteration(State& state, int64_t index, Job& job);
void beginPolish(State& state, Job& job);
// Takes the statistics of batch norms anew, measures the source, and keeps the iterate if it is better to
// return than the one before; `step` of the polish.
double keepIterate(State& state, int64_t step, Job& job);
void endPolish(State& state, int64_t index, Job& job);

// Fresh ones, as the options say.
Optimizer encoderOptimizer(const State& state);
Optimizer attackerOptimizer(const State& state);

}  // namespace espalier::non_transferable_pruning
