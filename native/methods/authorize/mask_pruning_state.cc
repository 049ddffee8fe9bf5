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

// Half of a batch: images with labels, or with the logits that a teacher has for them.
struct Half {
  at::Tensor images;
  at::Tensor labels;
  at::Tensor teacher = {};
};

at::Tensor lossesOf(const at::Tensor& logits, const Half& half) {
  if (half.teacher.defined()) return softTargets(logits, half.teacher, /*temperature=*/1);
  return crossEntropy(logits, half.labels, 0);
}

Half sourceOf(const State& state, const Batches& batches, StepContext& context) {
  if (!state.imagination) return {batches[0].inputs, batches[0].labels};
  const auto [images, logits] =
      state.imagination->memory.draw(state.options->batchSize, context.generator("source"));
  return {images, {}, logits};
}

// A batch of the target, labelled by the given model where the labels are not to be read.
Half targetOf(const State& state, const Batches& batches, StepContext& context) {
  if (state.options->variant == Variant::kDataFree) {
    const auto [images, labels] =
        drawNeighbours(state.imagination.value(), state.options->batchSize, context);
    return {images, labels};
  }
  const size_t first = state.imagination ? 0 : 1;
  const auto targets = static_cast<int64_t>(batches.size() - first);
  const auto turn = static_cast<size_t>(context.step() % targets);
  const Batch& batch = batches[first + turn];
  if (state.pseudoLabels.empty()) return {batch.inputs, batch.labels};
  return {batch.inputs, state.pseudoLabels[turn].index_select(0, batch.indices).to(batch.inputs.device())};
}

}  // namespace

at::Tensor objective(const at::Tensor& sourceLosses, const at::Tensor& targetLosses, const Options& options) {
  const at::Tensor source = sourceLosses.mean();
  if (!targetLosses.defined()) return source;
  return source - cappedMean(targetLosses * options.lambda, options.beta.value(), options.capOver);
}

// Evaluation throughout: the statistics of batch norms are the given model's, and one batch of both is as
// good as two.
void step(State& state, const Batches& batches, StepContext& context) {
  const Options& options = *state.options;
  const Half source = sourceOf(state, batches, context);
  at::Tensor sourceLosses;
  at::Tensor targetLosses;
  if (options.lambda == 0) {
    sourceLosses = lossesOf(context.forward(*state.model, source.images, Mode::kEval), source);
  } else {
    const Half target = targetOf(state, batches, context);
    const at::Tensor logits =
        context.forward(*state.model, at::cat({source.images, target.images}), Mode::kEval);
    const int64_t n = source.images.size(0);
    sourceLosses = lossesOf(logits.slice(0, 0, n), source);
    targetLosses = lossesOf(logits.slice(0, n), target);
    const at::Tensor mean = targetLosses.mean();
    add(state, kTargetLoss, mean);
    context.log("targetLoss", mean);
  }
  add(state, kSourceLoss, sourceLosses.mean());
  const at::Tensor loss = objective(sourceLosses, targetLosses, options);
  context.backward(loss, state.mask.parameters(), sourceLosses);
  state.mask.step(options.learningRate.value(), context.skip());
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
  reading.sourceAccuracy = sourceAccuracy(state, *state.model, job);
  reading.pruned = 1 - static_cast<double>(state.mask.kept()) / static_cast<double>(state.mask.weights());
  reading.holdsFloor = reading.sourceAccuracy >= state.floor;
  state.best.offer(*state.model, reading.sourceAccuracy, state.floor, reading.step);
  state.readings.push_back(reading);
  state.sums.zero_();
  state.count = 0;
}

double sourceAccuracy(const State& state, const Model& model, Job& job) {
  if (state.imagination) return agreement(state.imagination.value(), model);
  return evaluateBetween(model, state.sourceSelect.value(), job).accuracy;
}

void generatorStep(State& state, const Batches& /*batches*/, StepContext& context) {
  imagine(state.imagination.value(), *state.model, *state.options, context);
}

void endGenerator(State& state, int64_t /*index*/, Job& job) {
  endImagining(state.imagination.value(), *state.options, job);
}

void diversifierStep(State& state, const Batches& /*batches*/, StepContext& context) {
  diversify(state.imagination.value(), static_cast<size_t>(context.epoch()), *state.options, context);
}

void endDiversifier(State& state, int64_t index, Job& /*job*/) {
  endDiversifying(state.imagination.value(), index, *state.options);
}

}  // namespace espalier::mask_pruning
