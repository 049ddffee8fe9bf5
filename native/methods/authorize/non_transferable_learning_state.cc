#include "methods/authorize/non_transferable_learning_state.h"

#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/metrics.h"
#include "core/train/batch_norm.h"
#include "core/train/loss.h"

namespace espalier::non_transferable_learning {

namespace {

Mode modeOf(const Options& options) {
  return options.batchNorm == BatchNorm::kFrozen ? Mode::kEval : Mode::kTrain;
}

void add(State& state, Figure figure, const at::Tensor& value) {
  const torch::NoGradGuard noGrad;
  state.sums[figure] += value.detach();
}

// A matrix, in the order in which the features lie: distances are the same in any.
at::Tensor flat(const at::Tensor& features) {
  const at::Tensor values = features.scalar_type() == at::kDouble ? features : features.to(at::kFloat);
  const bool channelsLast = values.dim() == 4 && values.is_contiguous(at::MemoryFormat::ChannelsLast);
  return (channelsLast ? values.permute({0, 2, 3, 1}) : values).flatten(1);
}

// Some of the images with patterns that are not the secret one, each with its own.
Batch withDecoys(const Batch& batch, const Options& options, StepContext& context) {
  constexpr double kLightest = 255;
  const PatchOptions& patch = options.patch.value();
  const at::Tensor& images = batch.inputs;
  at::Generator generator = context.generator("decoys");
  const at::Tensor chosen = at::rand({images.size(0), 1, 1}, generator).lt(options.decoys.value());
  const int64_t height = images.size(2);
  const int64_t width = images.size(3);
  const at::Tensor cells = at::rand(
      {images.size(0), (height + patch.cell - 1) / patch.cell, (width + patch.cell - 1) / patch.cell},
      generator);
  const at::Tensor pixels = cellsToPixels(cells.lt(patch.density), height, width, patch.cell);
  const at::Tensor added = (chosen & pixels).to(images.scalar_type()) * (patch.value / kLightest);
  Batch marked = batch;
  marked.inputs = images.clone();
  marked.inputs.select(1, patch.channel).add_(added.to(images.device())).clamp_max_(1);
  return marked;
}

// Where the plain source comes in: it is what works for an owner, and what must not for a licensed user.
size_t plainSource(const Options& options) { return options.variant == Variant::kAuthorization ? 1 : 0; }

// Source and target in one batch: batch norms in training see both.
Terms forward(State& state, const Batch& source, const Batch& target, StepContext& context) {
  const Options& options = *state.options;
  const int64_t n = source.labels.size(0);
  const at::Tensor inputs = at::cat({source.inputs, target.inputs});
  at::Tensor features;
  const at::Tensor logits = context.forward(*state.model, inputs, modeOf(options), [&] {
    features = state.split.trainingFeatures(inputs, modeOf(options));
    return state.split.trainingHead(features, modeOf(options));
  });
  const at::Tensor losses = crossEntropy(logits, at::cat({source.labels, target.labels}), 0);
  Terms terms{losses.slice(0, 0, n), losses.slice(0, n), {}};
  if (options.beta.value) {
    terms.discrepancy = maximumMeanDiscrepancy(flat(features), n, options.kernels);
  }
  return terms;
}

}  // namespace

at::Tensor objective(const Terms& terms, int64_t classes, const Options& options) {
  const double scale = options.reduction == Reduction::kElementwise ? 1 / static_cast<double>(classes) : 1;
  at::Tensor repulsion =
      cappedMean(terms.target * (options.alpha * scale), options.capTarget, options.capOver);
  if (terms.discrepancy.defined()) {
    repulsion =
        repulsion * (terms.discrepancy * options.beta.value.value_or(1)).clamp_max(options.capDiscrepancy);
  }
  return terms.source.mean() * scale - repulsion;
}

void step(State& state, const Batches& batches, StepContext& context) {
  const Options& options = *state.options;
  const auto batch = [&](size_t index) {
    const bool marks = index == plainSource(options) && options.decoys.value_or(0) > 0;
    return marks ? withDecoys(batches[index], options, context) : batches[index];
  };
  const Batch source = batch(0);
  at::Tensor losses;
  at::Tensor loss;
  if (batches.size() == 1) {
    losses = crossEntropy(context.forward(*state.model, source.inputs, modeOf(options)), source.labels, 0);
    loss = losses.mean();
    add(state, kSourceLoss, loss);
  } else {
    const auto targets = static_cast<int64_t>(batches.size()) - 1;
    const Batch target = batch(static_cast<size_t>(1 + context.step() % targets));
    const Terms terms = forward(state, source, target, context);
    losses = terms.source;
    loss = objective(terms, state.classes, options);
    const at::Tensor targetLoss = terms.target.mean();
    add(state, kSourceLoss, losses.mean());
    add(state, kTargetLoss, targetLoss);
    context.log("targetLoss", targetLoss);
    if (terms.discrepancy.defined()) {
      add(state, kDiscrepancy, terms.discrepancy);
      context.log("discrepancy", terms.discrepancy);
    }
  }
  context.backward(loss, state.optimizer.parameters(), losses);
  context.optimise(state.optimizer, options.learningRate * std::pow(options.learningRateDecay,
                                                                    static_cast<double>(context.step())));
  ++state.count;
  ++state.steps;
  context.log("loss", loss);
  context.log("sourceLoss", losses.mean());
}

void endReading(State& state, int64_t, Job& job) {
  const Options& options = *state.options;
  const at::Tensor means = state.sums.cpu() / static_cast<double>(state.count);
  const bool protects = options.alpha > 0;
  Reading reading;
  reading.step = state.steps;
  reading.sourceLoss = means[kSourceLoss].item<double>();
  if (protects) reading.targetLoss = means[kTargetLoss].item<double>();
  if (protects && options.beta.value) reading.discrepancy = means[kDiscrepancy].item<double>();
  if (options.batchNorm == BatchNorm::kJoint && options.refreshBatches > 0) {
    reestimateBatchNorm(*state.model, state.source.value(), options.refreshBatches, options.batchSize, job);
  }
  reading.sourceAccuracy = evaluateBetween(*state.model, state.sourceSelect.value(), job).accuracy;
  reading.holdsFloor = reading.sourceAccuracy >= state.floor;
  state.best.offer(*state.model, reading.sourceAccuracy, state.floor, reading.step);
  state.readings.push_back(reading);
  state.sums.zero_();
  state.count = 0;
}

}  // namespace espalier::non_transferable_learning
