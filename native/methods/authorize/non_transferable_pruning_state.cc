#include "methods/authorize/non_transferable_pruning_state.h"

#include <cmath>
#include <limits>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/metrics.h"
#include "core/objectives/fisher.h"
#include "core/objectives/mmd.h"
#include "core/random.h"
#include "core/train/batch_norm.h"
#include "core/train/loss.h"
#include "kernels/ops.h"

namespace espalier::non_transferable_pruning {

namespace {

// The share of the last steps in the mean of the source loss.
constexpr double kNewShare = 0.05;
// The official code asks whether to stop only from this iteration on.
constexpr int64_t kFirstStop = 10;
constexpr double kSmallestChange = 1e-4;
// The cubic schedule of the cardinality ends there: W then settles under the final mask.
constexpr double kScheduleEnd = 0.8;

at::Tensor plain(const at::Tensor& features) {
  return features.scalar_type() == at::kDouble ? features : features.to(at::kFloat);
}

// On features that are normalised over the channels, as the published baseline does.
at::Tensor discrepancyOf(const at::Tensor& source, const at::Tensor& target) {
  const auto flat = [](const at::Tensor& features) {
    return (features / features.norm(2, {1}, true).clamp_min(1e-12)).flatten(1);
  };
  return maximumMeanDiscrepancy(flat(source), flat(target));
}

void add(State& state, Figure figure, const at::Tensor& value) {
  const torch::NoGradGuard noGrad;
  state.sums[figure] += value.detach();
}

// The terms that keep the target out, to be added to the source's loss; each target counts alike.
at::Tensor protectingTerms(State& state, const Batches& batches, const at::Tensor& sourceFeatures,
                           StepContext& context) {
  const Weights& weights = state.weights;
  const bool isNtl = state.options->loss == ProtectionLoss::kNtl;
  const double share = 1 / static_cast<double>(state.targetHeads.size());
  at::Tensor sum;
  for (size_t i = 0; i < state.targetHeads.size(); ++i) {
    const Batch& batch = batches[1 + i];
    at::Tensor features;
    const at::Tensor logits = context.forward(*state.model, batch.inputs, Mode::kTrain, [&] {
      features = state.split.encode(batch.inputs, Mode::kTrain);
      return state.targetHeads[i].head(features, Mode::kEval);
    });
    features = plain(features);
    at::Tensor term = torch::zeros({}, logits.options());
    const at::Tensor loss = crossEntropy(logits, batch.labels, 0).mean();
    add(state, kTargetLoss, loss * share);
    if (isNtl) {
      const at::Tensor discrepancy = discrepancyOf(sourceFeatures, features);
      add(state, kDiscrepancy, discrepancy * share);
      term = term - weights.alphaTarget * loss.clamp_max(weights.targetLossCap) * discrepancy.clamp_max(1);
    } else if (weights.alphaTarget > 0) {
      term = term - weights.alphaTarget * loss.clamp_max(weights.targetLossCap);
    }
    if (!isNtl && weights.lambdaFisher > 0) {
      const at::Tensor ratio = fisherRatio(features, batch.labels, state.classes);
      add(state, kFisherRatio, ratio * share);
      // The ratio falls as one over the number of classes; the published weight is one for ten.
      term = term + weights.lambdaFisher * static_cast<double>(state.classes) / 10 * ratio;
    }
    sum = sum.defined() ? sum + term * share : term * share;
  }
  return sum;
}

// A buyer starts from the weights that he gets, lifts the mask, and may put a new head on them.
void restartAttacker(State& state) {
  const torch::NoGradGuard noGrad;
  const std::vector<at::Tensor> own = state.attacker->weights();
  const auto take = [&own](const Model& from) {
    const std::vector<at::Tensor> weights = from.weights();
    for (size_t i = 0; i < own.size(); ++i) own[i].copy_(weights[i]);
  };
  take(*state.model);
  const int64_t every = state.options->simulated.freshHeadEvery;
  ++state.restarts;
  if (every > 0 && state.restarts % every == 0) {
    std::vector<std::string> head;
    for (const ParameterInfo& info : state.attackerSplit.headParameters()) head.push_back(info.path);
    take(*state.attacker->reinitializeOnly(mixSeed(state.seed, static_cast<uint64_t>(state.restarts)), head));
  }
  state.attackerOptimizer = attackerOptimizer(state);
}

// One step of the attacker; the encoder's gradient is pushed against his. First order: his path counts as
// given.
void opposeAttacker(State& state, const Batches& batches, const at::Tensor& sourceLoss,
                    StepContext& context) {
  const SimulatedOptions& options = state.options->simulated;
  if (state.attackerSteps % options.horizon == 0) {
    restartAttacker(state);
  }
  const auto targets = static_cast<int64_t>(batches.size()) - 1;
  const Batch& batch = batches[static_cast<size_t>(1 + (state.restarts - 1) % targets)];
  const at::Tensor logits = context.forward(*state.attacker, batch.inputs);
  const at::Tensor losses = crossEntropy(logits, batch.labels, 0);
  const at::Tensor loss = losses.mean();
  context.backward(loss, state.attacked, losses);

  const torch::NoGradGuard noGrad;
  const at::Tensor now = sourceLoss.detach().to(at::kDouble);
  state.sourceMean = at::where(state.sourceMean.isnan(), now, state.sourceMean.lerp(now, kNewShare));
  const at::Tensor gate = (2 * (1 - state.sourceMean / options.sourceGate)).clamp(0, 1);
  const at::Tensor push = -state.weights.attacker * gate * loss.detach().le(options.lossCap);
  for (size_t i = 0; i < state.trained.size(); ++i) {
    const at::Tensor& gradient = state.attacked[i].grad();
    if (!gradient.defined()) continue;
    at::Tensor own = state.trained[i].grad();
    const at::Tensor pushed = gradient * push.to(gradient.scalar_type());
    if (own.defined()) {
      own.add_(pushed);
    } else {
      state.trained[i].mutable_grad() = pushed;
    }
  }
  context.optimise(state.attackerOptimizer, options.learningRate);
  ++state.attackerSteps;
  add(state, kAttackerLoss, loss);
  add(state, kGate, gate);
  context.log("attackerLoss", loss);
  context.log("gate", gate);
}

std::vector<at::Tensor> keptMasks(const State& state) {
  return state.options->zUpdate == ZUpdate::kL1 ? state.kept : state.prunedBefore;
}

// The gradient of the penalty on W - Z + U, added to the loss's.
void addPenalty(State& state) {
  const torch::NoGradGuard noGrad;
  kernels::Tensors gradients;
  for (const size_t at : state.prunedAt) {
    at::Tensor& gradient = state.trained[at].mutable_grad();
    if (!gradient.defined()) gradient = torch::zeros_like(state.trained[at]);
    if (gradient.strides() != state.trained[at].strides())
      gradient = torch::empty_like(state.trained[at].detach()).copy_(gradient);
    gradients.push_back(gradient);
  }
  const Options& options = *state.options;
  const kernels::Tensors weights = state.pruned();
  if (options.penalty == Penalty::kSquared) {
    add(state, kPenalty,
        kernels::admmPenalty(gradients, weights, state.sparse, state.duals, kernels::maskList(state.kept),
                             options.rho)
            .sum());
    return;
  }
  // rho / 2 ||V||_F a layer: a gradient of constant length, zero where V is.
  for (size_t i = 0; i < weights.size(); ++i) {
    const at::Tensor gap = weights[i] - state.sparse[i] + state.duals[i];
    const at::Tensor norm = (gap.square().sum() + 1e-12).sqrt();
    gradients[i].add_(gap * (options.rho / 2 / norm) * state.kept[i]);
    add(state, kPenalty, options.rho / 2 * norm);
  }
}

void step(State& state, const Batches& batches, StepContext& context, bool penalised, double learningRate) {
  const Batch& batch = batches[0];
  at::Tensor features;
  const at::Tensor logits = context.forward(*state.model, batch.inputs, Mode::kTrain, [&] {
    features = state.split.encode(batch.inputs, Mode::kTrain);
    return state.split.head(features, Mode::kEval);
  });
  const at::Tensor losses = crossEntropy(logits, batch.labels, 0);
  const at::Tensor sourceLoss = losses.mean();
  at::Tensor loss = sourceLoss;
  if (!state.targetHeads.empty()) {
    const at::Tensor terms = protectingTerms(state, batches, plain(features), context);
    if (terms.defined()) loss = loss + terms;
  }
  context.backward(loss, state.trained, losses);
  if (penalised) addPenalty(state);
  if (state.attacker) opposeAttacker(state, batches, sourceLoss, context);
  context.optimise(state.optimizer, learningRate);

  const torch::NoGradGuard noGrad;
  const at::Tensor hits = logits.argmax(1).eq(batch.labels).sum();
  add(state, kSourceLoss, sourceLoss);
  add(state, kSourceHits, hits.to(at::kDouble));
  ++state.count;
  state.samples += batch.labels.size(0);
  ++state.steps;
  context.log("loss", loss);
  context.log("sourceAccuracy", hits.to(at::kDouble) / batch.labels.size(0));
}

// Means of the figures since the last reading, which starts them again.
std::vector<double> takeMeans(State& state) {
  const at::Tensor read = state.sums.cpu();
  std::vector<double> means;
  for (int64_t i = 0; i < kFigures; ++i) {
    const double divisor = static_cast<double>(i == kSourceHits ? state.samples : state.count);
    means.push_back(read[i].item<double>() / std::max(1.0, divisor));
  }
  state.sums.zero_();
  state.count = 0;
  state.samples = 0;
  return means;
}

Terms termsOf(const State& state, const std::vector<double>& means) {
  Terms terms;
  terms.sourceLoss = means[kSourceLoss];
  const bool isNtl = state.options->loss == ProtectionLoss::kNtl;
  if (!state.targetHeads.empty()) terms.targetLoss = means[kTargetLoss];
  if (!state.targetHeads.empty() && isNtl) terms.discrepancy = means[kDiscrepancy];
  if (state.weights.lambdaFisher > 0 && !isNtl) terms.fisherRatio = means[kFisherRatio];
  if (state.attacker) {
    terms.attackerLoss = means[kAttackerLoss];
    terms.gate = means[kGate];
  }
  return terms;
}

double objective(const State& state, const std::vector<double>& means) {
  const Weights& weights = state.weights;
  const double target = std::min(means[kTargetLoss], weights.targetLossCap);
  const double pull =
      state.options->loss == ProtectionLoss::kNtl ? target * std::min(means[kDiscrepancy], 1.0) : target;
  return means[kSourceLoss] - weights.alphaTarget * pull + weights.lambdaFisher * means[kFisherRatio] +
         means[kPenalty];
}

int64_t keptAfter(const State& state, int64_t iteration) {
  const Options& options = *state.options;
  const double end = std::max(1.0, std::round(kScheduleEnd * static_cast<double>(options.iterations)));
  const double done = std::min(1.0, static_cast<double>(iteration + 1) / end);
  const double sparsity = options.sparsity * (1 - std::pow(1 - done, 3));
  return state.prunedWeights -
         static_cast<int64_t>(std::llround(sparsity * static_cast<double>(state.prunedWeights)));
}

}  // namespace

std::vector<at::Tensor> State::pruned() const {
  std::vector<at::Tensor> tensors;
  for (const size_t at : prunedAt) tensors.push_back(trained[at].detach());
  return tensors;
}

Optimizer encoderOptimizer(const State& state) {
  OptimizerOptions adam;
  adam.kind = OptimizerKind::kAdam;
  adam.learningRate = state.options->learningRate;
  adam.weightDecay = state.options->weightDecay;
  return Optimizer(adam, state.trained, state.masks);
}

Optimizer attackerOptimizer(const State& state) {
  OptimizerOptions adam;
  adam.kind = OptimizerKind::kAdam;
  adam.learningRate = state.options->simulated.learningRate;
  adam.weightDecay = 0;
  return Optimizer(adam, state.attacked);
}

void headStep(State& state, const Batches& batches, StepContext& context) {
  const TargetHeadOptions& options = state.options->targetHead;
  for (size_t i = 0; i < state.targetHeads.size(); ++i) {
    const Batch& batch = batches[1 + i];
    const at::Tensor logits = context.forward(*state.headModels[i], batch.inputs, Mode::kEval, [&] {
      at::Tensor features;
      {
        const torch::NoGradGuard noGrad;
        features = state.split.trainingFeatures(batch.inputs, Mode::kEval);
      }
      return state.targetHeads[i].head(features, Mode::kTrain);
    });
    const at::Tensor losses = crossEntropy(logits, batch.labels, 0);
    const at::Tensor loss = losses.mean();
    context.backward(loss, state.headOptimizers[i].parameters(), losses);
    context.optimise(state.headOptimizers[i], options.learningRate);
    context.log("headLoss", loss);
  }
}

void protectStep(State& state, const Batches& batches, StepContext& context) {
  if (context.step() % context.stepsPerEpoch() < state.headSteps) {
    headStep(state, batches, context);
    return;
  }
  step(state, batches, context, /*penalised=*/true, state.options->learningRate);
}

void polishStep(State& state, const Batches& batches, StepContext& context) {
  // From the full rate down to a tenth of it.
  Schedule schedule;
  schedule.final = 0.1;
  step(state, batches, context, /*penalised=*/false,
       state.options->learningRate * schedule.at(context.step(), context.steps()));
}

void endIteration(State& state, int64_t index, Job& job) {
  const torch::NoGradGuard noGrad;
  const Options& options = *state.options;
  const kernels::Tensors weights = state.pruned();
  const kernels::MaskList masks = kernels::maskList(keptMasks(state));
  kernels::Tensors before;
  for (const at::Tensor& each : state.sparse) before.push_back(each.clone());
  if (options.zUpdate == ZUpdate::kCardinality) {
    // Without the mask: what was cut may come back while U still holds it.
    const kernels::Tensors selected =
        kernels::admmKeep(state.sparse, weights, state.duals, masks, keptAfter(state, index));
    for (size_t i = 0; i < selected.size(); ++i) state.kept[i].copy_(selected[i]);
  } else {
    kernels::admmShrink(state.sparse, weights, state.duals, masks, options.l1 / options.rho);
    for (size_t i = 0; i < weights.size(); ++i) state.kept[i].copy_(state.sparse[i].ne(0));
  }
  const at::Tensor gaps = kernels::admmDual(state.duals, weights, state.sparse).sum(0).cpu();
  double moved = 0;
  double size = 0;
  int64_t left = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i].mul_(state.kept[i]);
    moved += (state.sparse[i] - before[i]).to(at::kDouble).square().sum().item<double>();
    size += state.sparse[i].to(at::kDouble).square().sum().item<double>();
    left += state.kept[i].sum().item<int64_t>();
  }
  const std::vector<double> means = takeMeans(state);
  IterationReport row;
  row.iteration = index + 1;
  row.step = state.steps;
  row.terms = termsOf(state, means);
  row.sourceAccuracy = means[kSourceHits];
  row.penalty = means[kPenalty];
  row.sparsity = 1 - static_cast<double>(left) / static_cast<double>(state.prunedWeights);
  row.primalResidual = std::sqrt(gaps[0].item<double>() / std::max(1e-30, gaps[1].item<double>()));
  row.dualResidual = std::sqrt(moved / std::max(1e-30, size));
  state.iterations.push_back(row);
  if (options.zUpdate == ZUpdate::kL1 && index + 1 > kFirstStop) {
    const double now = objective(state, means);
    state.done = std::abs(now - state.lastObjective) < kSmallestChange || row.sparsity > options.sparsity;
  }
  state.lastObjective = objective(state, means);
  state.optimizer = encoderOptimizer(state);
  job.checkCancelled();
}

void beginPolish(State& state, Job&) { state.optimizer = encoderOptimizer(state); }

double keepIterate(State& state, int64_t step, Job& job) {
  reestimateBatchNorm(*state.model, state.source.value(), state.options->refreshBatches,
                      state.options->batchSize, job);
  const double accuracy = evaluateBetween(*state.model, state.sourceSelect.value(), job).accuracy;
  state.best.offer(*state.model, accuracy, state.floor, step);
  return accuracy;
}

void endPolish(State& state, int64_t, Job& job) {
  PolishReport row;
  row.step = state.count + (state.polish.empty() ? 0 : state.polish.back().step);
  row.terms = termsOf(state, takeMeans(state));
  row.sourceAccuracy = keepIterate(state, row.step, job);
  row.holdsFloor = row.sourceAccuracy >= state.floor;
  state.polish.push_back(row);
}

}  // namespace espalier::non_transferable_pruning
