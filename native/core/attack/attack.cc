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
  std::optional<ReportData> measured;  // after each stretch

  std::shared_ptr<Model> model;
  Optimizer optimizer;
  double learningRate = 0;
  int64_t steps = 0;
  int64_t images = 0;
  double seconds = 0;
  std::vector<AttackCheckpoint> checkpoints;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("optimizer", optimizer);
    visit("steps", steps);
    visit("images", images);
    visit("seconds", seconds);
    visit("checkpoints", checkpoints);
  }
};

void step(State& state, const Batches& batches, StepContext& context) {
  const auto start = std::chrono::steady_clock::now();
  const Batch& batch = batches[0];
  const at::Tensor logits = context.forward(*state.model, batch.inputs, state.options->mode());
  const at::Tensor losses = crossEntropy(logits, batch.labels, 0);
  const at::Tensor loss = losses.mean();
  context.backward(loss, state.optimizer.parameters(), losses);
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
                                 std::vector<AttackCheckpoint>* checkpoints) {
  const std::string& method = job.method();
  options.check();
  std::optional<SelectData> select;
  if (options.learningRates.size() > 1) select = target.select(method);
  const auto tick = [&job] { job.checkCancelled(); };

  std::shared_ptr<Model> chosen;
  for (const double rate : options.learningRates) {
    State state;
    state.options = &options;
    if (checkpoints != nullptr) state.measured = target.report(method);
    state.model = start.clone();
    state.optimizer = transferOptimizer(*state.model, options);
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
                                   std::vector<AttackCheckpoint>* checkpoints) {
  const ReportData report = target.report(job.method());
  const auto tick = [&job] { job.checkCancelled(); };
  job.plan(static_cast<double>(options.learningRates.size()));
  std::shared_ptr<Model> chosen = trainBest(start, stretches, options, target, figures, job, checkpoints);
  figures.before = countAnswers(given, report, tick);
  // The last checkpoint is the end.
  const bool isMeasured = checkpoints != nullptr && !checkpoints->empty();
  figures.after = isMeasured ? checkpoints->back().accuracy : countAnswers(*chosen, report, tick);
  return chosen;
}

}  // namespace espalier
