#include "methods/authorize/mask_pruning_state.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "core/metrics.h"
#include "core/train/loss.h"

namespace espalier::mask_pruning {

namespace {

void add(State& state, Figure figure, const at::Tensor& value) {
  const torch::NoGradGuard noGrad;
  state.sums[figure] += value.detach();
}

// A batch of the target, labelled by the given model where the labels are not to be read.
Batch targetOf(const State& state, const Batches& batches, int64_t step) {
  const auto targets = static_cast<int64_t>(batches.size()) - 1;
  const auto turn = static_cast<size_t>(step % targets);
  Batch batch = batches[turn + 1];
  if (!state.pseudoLabels.empty())
    batch.labels = state.pseudoLabels[turn].index_select(0, batch.indices).to(batch.labels.device());
  return batch;
}

}  // namespace

at::Tensor objective(const at::Tensor& sourceLosses, const at::Tensor& targetLosses, const Options& options) {
  const at::Tensor source = sourceLosses.mean();
  if (!targetLosses.defined()) return source;
  return source - cappedMean(targetLosses * options.lambda, options.beta, options.capOver);
}

// Evaluation throughout: the statistics of batch norms are the given model's, and one batch of both is as
// good as two.
void step(State& state, const Batches& batches, StepContext& context) {
  const Options& options = *state.options;
  const Batch& source = batches[0];
  const int64_t n = source.labels.size(0);
  at::Tensor sourceLosses;
  at::Tensor targetLosses;
  if (batches.size() == 1) {
    sourceLosses = crossEntropy(context.forward(*state.model, source.inputs, Mode::kEval), source.labels, 0);
  } else {
    const Batch target = targetOf(state, batches, context.step());
    const at::Tensor logits =
        context.forward(*state.model, at::cat({source.inputs, target.inputs}), Mode::kEval);
    const at::Tensor losses = crossEntropy(logits, at::cat({source.labels, target.labels}), 0);
    sourceLosses = losses.slice(0, 0, n);
    targetLosses = losses.slice(0, n);
    const at::Tensor mean = targetLosses.mean();
    add(state, kTargetLoss, mean);
    context.log("targetLoss", mean);
  }
  add(state, kSourceLoss, sourceLosses.mean());
  const at::Tensor loss = objective(sourceLosses, targetLosses, options);
  context.backward(loss, state.mask.parameters(), sourceLosses);
  state.mask.step(options.learningRate, context.skip());
  ++state.count;
  ++state.steps;
  context.log("loss", loss);
  context.log("sourceLoss", sourceLosses.mean());
}

void endReading(State& state, int64_t /*index*/, Job& job) {
  const Options& options = *state.options;
  if (options.maxPruned) state.mask.limit(*options.maxPruned);
  const at::Tensor means = state.sums.cpu() / static_cast<double>(state.count);
  Reading reading;
  reading.step = state.steps;
  reading.sourceLoss = means[kSourceLoss].item<double>();
  if (options.lambda > 0) reading.targetLoss = means[kTargetLoss].item<double>();
  reading.sourceAccuracy = evaluateBetween(*state.model, state.sourceSelect.value(), job).accuracy;
  reading.pruned = 1 - static_cast<double>(state.mask.kept()) / static_cast<double>(state.mask.weights());
  reading.holdsFloor = reading.sourceAccuracy >= state.floor;
  state.best.offer(*state.model, reading.sourceAccuracy, state.floor, reading.step);
  state.readings.push_back(reading);
  state.sums.zero_();
  state.count = 0;
}

}  // namespace espalier::mask_pruning
