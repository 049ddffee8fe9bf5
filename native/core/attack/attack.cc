#include "core/attack/attack.h"

#include <chrono>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/random.h"
#include "core/train/loss.h"
#include "core/train/trainer.h"

namespace espalier {

namespace {

struct State {
  // Given, the same on resume.
  const TransferOptions* options = nullptr;
  const AttackObjective* objective = nullptr;
  std::optional<ReportData> measured;  // after each stretch

  std::shared_ptr<Model> model;
  Optimizer optimizer;
  std::vector<at::Tensor> memory;  // of the objective
  double learningRate = 0;
  int64_t steps = 0;
  int64_t images = 0;
  double seconds = 0;
  std::vector<AttackCheckpoint> checkpoints;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("optimizer", optimizer);
    visit("memory", memory);
    visit("steps", steps);
    visit("images", images);
    visit("seconds", seconds);
    visit("checkpoints", checkpoints, kCollected);
  }
};

// Gradients at the weights of the moment.
at::Tensor pass(State& state, const Batch& batch, const std::vector<at::Tensor>& views,
                StepContext& context) {
  const std::vector<at::Tensor>& weights = state.optimizer.parameters();
  const Mode mode = state.objective->mode.value_or(state.options->mode());
  const at::Tensor logits = context.forward(*state.model, batch.inputs, mode);
  const at::Tensor losses = crossEntropy(logits, batch.labels, 0);
  at::Tensor loss = losses.mean();
  if (state.objective->term) {
    loss = loss + state.objective->term({*state.model, mode, weights, logits, views, state.memory, context});
  }
  context.backward(loss, weights, losses);
  return loss;
}

void step(State& state, const Batches& batches, StepContext& context) {
  const auto start = std::chrono::steady_clock::now();
  const Batch& batch = batches[0];
  std::vector<at::Tensor> views;
  if (state.objective->views) views = state.objective->views(batch.inputs, context);
  const at::Tensor loss = pass(state, batch, views, context);
  if (state.objective->sharpness.rho > 0) {
    const std::vector<at::Tensor>& weights = state.optimizer.parameters();
    const std::vector<at::Tensor> before =
        climb(weights, state.optimizer.masks(), state.objective->sharpness);
    pass(state, batch, views, context);
    putBack(weights, before);
  }
  context.optimise(state.optimizer, state.learningRate);
  ++state.steps;
  state.images += batch.labels.size(0);
  context.log("loss", loss);
  state.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void measure(State& state, int64_t /*epoch*/, Job& job) {
  if (!state.measured) return;
  state.checkpoints.push_back(
      {state.steps, countAnswers(*state.model, *state.measured, [&job] { job.checkCancelled(); })});
}

}  // namespace

FitData drawSamples(const Domain& domain, const AttackSamples& samples, std::string_view method,
                    uint64_t seed) {
  const FitData fit = domain.fit(method);
  if (samples.count && samples.fraction)
    fail(ErrorCode::kInvalidArgType, method, ": expected count or fraction, received both");
  int64_t count = samples.count.value_or(fit->size());
  if (samples.fraction)
    count = static_cast<int64_t>(std::floor(*samples.fraction * static_cast<double>(fit->size())));
  if (count < 1 || count > fit->size()) {
    fail(ErrorCode::kOutOfRange, method, ": expected 1 to ", fit->size(), " samples (the fit data of domain ",
         domain.name(), "), received ", count);
  }
  return nestedSamples(fit, {count}, mixSeed(seed, "samples")).front();
}

void requireAttackable(const Model& model, const Domain& domain, std::string_view method) {
  model.requireTrainable(method);
  headLayer(model);
  requireClasses(model, domain, *domain.report(method), "the model");
}

std::shared_ptr<Model> trainBest(const Model& start, const std::vector<AttackStretch>& stretches,
                                 const TransferOptions& options, const Domain& target,
                                 TrainedAttackFigures& figures, Job& job,
                                 std::vector<AttackCheckpoint>* checkpoints,
                                 const AttackObjective& objective) {
  const std::string& method = job.method();
  options.check();
  std::optional<SelectData> select;
  if (options.learningRates.size() > 1) select = target.select(method);
  const auto tick = [&job] { job.checkCancelled(); };

  std::shared_ptr<Model> chosen;
  for (const double rate : options.learningRates) {
    State state;
    state.options = &options;
    state.objective = &objective;
    if (checkpoints != nullptr) state.measured = target.report(method);
    state.model = start.clone();
    state.optimizer = transferOptimizer(*state.model, options);
    for (const at::Tensor& kept : objective.memory) state.memory.push_back(kept.clone());
    state.learningRate = rate;
    std::vector<Phase<State>> phases;
    for (const AttackStretch& stretch : stretches) {
      Phase<State> phase;
      phase.name = stretch.name;
      phase.streams.emplace_back(stretch.samples, transferStream(*stretch.samples, options));
      phase.stepsPerEpoch = stretch.steps;
      phase.step = step;
      phase.endEpoch = measure;
      phases.push_back(std::move(phase));
    }
    train(job, state, phases);
    figures.cost.steps += state.steps;
    figures.cost.images += state.images;
    figures.cost.seconds += state.seconds;
    std::optional<double> accuracy;
    if (select) accuracy = countAnswers(*state.model, *select, tick).accuracy();
    if (chosen && !(accuracy > figures.selectAccuracy)) continue;
    chosen = state.model;
    figures.learningRate = rate;
    figures.selectAccuracy = accuracy;
    if (checkpoints != nullptr) *checkpoints = state.checkpoints;
  }
  return chosen;
}

std::shared_ptr<Model> trainAttack(const Model& given, const Model& start,
                                   const std::vector<AttackStretch>& stretches,
                                   const TransferOptions& options, const Domain& target,
                                   TrainedAttackFigures& figures, Job& job,
                                   std::vector<AttackCheckpoint>* checkpoints,
                                   const AttackObjective& objective) {
  const ReportData report = target.report(job.method());
  const auto tick = [&job] { job.checkCancelled(); };
  job.plan(objective.unitsBefore + static_cast<double>(options.learningRates.size()));
  std::shared_ptr<Model> chosen =
      trainBest(start, stretches, options, target, figures, job, checkpoints, objective);
  figures.before = countAnswers(given, report, tick);
  // The last checkpoint is the end.
  const bool isMeasured = checkpoints != nullptr && !checkpoints->empty();
  figures.after = isMeasured ? checkpoints->back().accuracy : countAnswers(*chosen, report, tick);
  return chosen;
}

}  // namespace espalier
