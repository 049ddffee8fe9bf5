#include "methods/authorize/non_transferable_pruning.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/metrics.h"
#include "core/objectives/fisher.h"
#include "core/random.h"
#include "core/source_targets.h"
#include "core/train/batch_norm.h"
#include "core/train/collected.h"
#include "methods/authorize/non_transferable_pruning_state.h"

// Non-Transferable Pruning (Ding, Su, Ding, Fei 2024, arXiv 2410.08015).
//
// ADMM prunes the encoder W while L_S(W) - alpha min(L_T(W), cap) + lambda R(W) is minimised: the source is
// kept, the target's loss under a head of its own is raised, and R keeps the target's classes from parting in
// feature space. With a simulated attacker the encoder is also pushed against the gradient of a copy of the
// model that is being fine-tuned on the target, its mask lifted: what counts is the loss along his path.
namespace espalier {

using namespace non_transferable_pruning;

namespace {

constexpr const char* kName = "authorize.nonTransferablePruning";
constexpr int64_t kPolishReadings = 5;
// Samples on which the Fisher ratio is reported.
constexpr int64_t kFisherSamples = 512;
// A search stops where two strengths, one that holds the floor and one that does not, are that close.
constexpr double kCloseStrengths = 1.5;

Weights resolveWeights(const Options& options) {
  const bool simulated = options.attacker == Attacker::kSimulated;
  const bool isNtl = options.loss == ProtectionLoss::kNtl;
  Weights weights;
  weights.alphaTarget = options.alphaTarget.value.value_or(isNtl ? 1 : simulated ? 0 : 0.1);
  weights.lambdaFisher = options.lambdaFisher.value.value_or(isNtl || simulated ? 0 : 100);
  weights.targetLossCap = options.targetLossCap.value.value_or(isNtl ? 3 : 10);
  weights.attacker = simulated ? options.simulated.weight : 0;
  return weights;
}

void checkCounts(const Domain& domain) {
  const std::vector<int64_t> counts = domain.fit(kName)->classCounts();
  for (size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] == 0) {
      fail(ErrorCode::kDataInvalid, "expected samples of every class in the fit data of domain ",
           domain.name(), ", found none of class ", c, ": add some, or renumber the classes");
    }
  }
}

void check(const Inputs& inputs, const Options& options) {
  inputs.model->requireTrainable(kName);
  if (inputs.target.empty())
    fail(ErrorCode::kOutOfRange, "expected at least one target domain, received none");
  requireSourceAndTargets(*inputs.model, inputs.source.get(), inputs.target, kName);
  checkCounts(*inputs.source);
  for (const auto& target : inputs.target) checkCounts(*target);
  if (options.loss == ProtectionLoss::kNtl && options.attacker == Attacker::kSimulated) {
    fail(ErrorCode::kInvalidArgType,
         "expected attacker 'none' with loss 'ntl', received 'simulated': NTL's "
         "loss is a baseline without an attacker");
  }
}

// What the method trains and prunes, in the order of the model's parameters.
void collectParameters(State& state, const Options& options) {
  std::set<std::string> prunable;
  for (const Layer& layer : state.model->layers()) {
    if (layer.prunable) prunable.insert(layer.weightPath);
  }
  const bool given = keepsZeros(*state.model, {});
  for (const ParameterInfo& info : state.split.encoderParameters()) {
    if (!info.tensor.requires_grad()) continue;
    const bool isPruned = options.prunable == Prunable::kAll || prunable.count(info.path) > 0;
    at::Tensor mask;
    if (isPruned) {
      const at::Tensor weight = info.tensor.detach();
      if (weight.scalar_type() != at::kFloat && weight.scalar_type() != at::kDouble) {
        fail(ErrorCode::kModelUnsupported, "expected float32 or float64 for ", info.path, ", found ",
             weight.scalar_type(), ": convert the model, and train with precision 'bfloat16' for speed");
      }
      const bool wasPruned = given && prunable.count(info.path) > 0;
      mask = wasPruned ? weight.ne(0) : torch::ones_like(weight, weight.options().dtype(at::kBool));
      state.prunedPaths.push_back(info.path);
      state.prunedAt.push_back(state.trained.size());
      state.prunedBefore.push_back(mask.clone());
      state.kept.push_back(mask);
      state.sparse.push_back(weight.clone());
      state.duals.push_back(torch::zeros_like(weight));
      state.prunedWeights += weight.numel();
    }
    state.trained.push_back(info.tensor);
    state.masks.push_back(mask);
  }
  if (state.prunedAt.empty()) {
    fail(ErrorCode::kModelUnsupported,
         "expected weights to prune in the encoder, found none: "
         "give another layer for split");
  }
  int64_t zeros = 0;
  for (const at::Tensor& weight : state.pruned())
    zeros += weight.numel() - weight.count_nonzero().item<int64_t>();
  const auto cut =
      static_cast<int64_t>(std::llround(options.sparsity * static_cast<double>(state.prunedWeights)));
  if (cut >= state.prunedWeights || (options.zUpdate == ZUpdate::kCardinality && zeros > cut)) {
    fail(ErrorCode::kTargetUnreachable,
         "expected a sparsity that leaves weights and is not below that of the "
         "model, received ",
         options.sparsity, " for ", state.prunedWeights, " weights of which ", zeros, " are zero");
  }
}

void makeTargetHeads(State& state, const Inputs& inputs, const Options& options) {
  OptimizerOptions adam;
  adam.kind = OptimizerKind::kAdam;
  adam.learningRate = options.targetHead.learningRate;
  adam.weightDecay = options.targetHead.weightDecay;
  for (size_t i = 0; i < inputs.target.size(); ++i) {
    state.headModels.push_back(state.model->clone());
    state.targetHeads.emplace_back(state.headModels.back(), options.split);
    std::vector<at::Tensor> parameters;
    for (const ParameterInfo& info : state.targetHeads.back().headParameters()) {
      if (info.tensor.requires_grad()) parameters.push_back(info.tensor);
    }
    state.headOptimizers.emplace_back(adam, parameters);
  }
}

void makeAttacker(State& state, const Options& options) {
  state.attacker = state.model->clone();
  state.attackerSplit = SplitModel(state.attacker, options.split);
  for (const ParameterInfo& info : state.attackerSplit.encoderParameters()) {
    if (info.tensor.requires_grad()) state.attacked.push_back(info.tensor);
  }
  for (const ParameterInfo& info : state.attackerSplit.headParameters()) {
    if (info.tensor.requires_grad()) state.attacked.push_back(info.tensor);
  }
  state.attackerOptimizer = attackerOptimizer(state);
}

double fisherOn(const SplitModel& split, const Dataset& data, int64_t classes, Job& job) {
  const torch::NoGradGuard noGrad;
  const int64_t count = std::min(kFisherSamples, data.size());
  const Batch batch =
      data.take(count, mixSeed(job.seed(), "fisher"), true)->gather(torch::arange(count), job.device());
  return fisherRatio(split.encode(batch.inputs, Mode::kEval), batch.labels, classes).item<double>();
}

// { accuracy: a number or null, fisher } of each target.
Value measureTargets(const State& state, const Inputs& inputs, Job& job) {
  Value all = Value::List{};
  for (const auto& target : inputs.target) {
    Value accuracy;
    if (target->has(Role::kSelect))
      accuracy = evaluateBetween(*state.model, target->select(kName), job).accuracy;
    all.push(Value::Map{{"accuracy", std::move(accuracy)},
                        {"fisher", fisherOn(state.split, *target->fit(kName), state.classes, job)}});
  }
  return all;
}

// Samples of a domain's fit data that are used.
int64_t usedOf(const Domain& domain, const Options& options) {
  const auto all = static_cast<double>(domain.fit(kName)->size());
  return std::max<int64_t>(1, std::llround(options.dataFraction * all));
}

int64_t stepsPerIteration(const Inputs& inputs, const Options& options) {
  if (!options.epochsPerIteration) return options.stepsPerIteration;
  int64_t shortest = usedOf(*inputs.source, options);
  for (const auto& target : inputs.target) shortest = std::min(shortest, usedOf(*target, options));
  return *options.epochsPerIteration * std::max<int64_t>(1, shortest / options.batchSize);
}

std::vector<Phase<State>> phasesOf(const State& state, const Inputs& inputs, const Options& options,
                                   double& units) {
  StreamOptions stream;
  stream.batchSize = options.batchSize;
  std::vector<TrainingStream> streams;
  const auto addStream = [&](const Domain& domain, uint64_t index) {
    const FitData all = domain.fit(kName);
    const FitData data(options.dataFraction < 1
                           ? all->take(usedOf(domain, options), mixSeed(state.seed, index), true)
                           : all.dataset());
    StreamOptions ofThis = stream;
    ofThis.dropLast = data->size() >= options.batchSize;
    streams.emplace_back(data, ofThis);
  };
  addStream(*inputs.source, 0);
  for (size_t i = 0; i < inputs.target.size(); ++i) addStream(*inputs.target[i], i + 1);
  std::vector<Phase<State>> phases;
  if (!state.targetHeads.empty() && options.targetHead.steps > 0) {
    Phase<State> phase;
    phase.name = "target head";
    phase.streams = streams;
    phase.stepsPerEpoch = options.targetHead.steps;
    phase.step = headStep;
    phases.push_back(phase);
    units += static_cast<double>(options.targetHead.steps) / 2;
  }
  Phase<State> protect;
  protect.name = "protect";
  protect.streams = streams;
  protect.epochs = options.iterations;
  protect.stepsPerEpoch = state.headSteps + stepsPerIteration(inputs, options);
  protect.step = protectStep;
  protect.endEpoch = endIteration;
  protect.done = [](const State& each) { return each.done; };
  phases.push_back(protect);
  units += static_cast<double>(protect.epochs * protect.stepsPerEpoch);
  if (options.polishSteps > 0) {
    Phase<State> polish;
    polish.name = "polish";
    polish.streams = std::move(streams);
    polish.epochs = evenParts(options.polishSteps, kPolishReadings);
    polish.stepsPerEpoch = options.polishSteps / polish.epochs;
    polish.step = polishStep;
    polish.begin = beginPolish;
    polish.endEpoch = endPolish;
    phases.push_back(polish);
    units += static_cast<double>(options.polishSteps);
  }
  return phases;
}

std::shared_ptr<Mask> maskOf(const State& state) {
  std::vector<Mask::Entry> entries;
  for (size_t i = 0; i < state.kept.size(); ++i) {
    entries.push_back({state.prunedPaths[i], state.kept[i].cpu()});
  }
  return std::make_shared<Mask>(std::move(entries));
}

// The iterate that holds the floor, or the nearest to it; without a polish the last one.
void restoreBest(State& state, const Options& options, Report& report, Job& job) {
  if (state.best.empty()) keepIterate(state, /*step=*/0, job);
  state.best.restore(*state.model);
  report.source.held = state.best.holds();
  report.source.restoredStep = state.best.step();
  if (!state.best.holds()) {
    job.warn(text("the source fell to ", state.best.accuracy(), ", below the floor of ", state.floor,
                  ": lower the weights of the protecting terms or the sparsity, polish longer, or let "
                  "strength 'auto' find them"));
  }
  const double sparsity =
      options.zUpdate == ZUpdate::kL1 ? lastOf(state.iterations, "iterations").sparsity : options.sparsity;
  if (sparsity < options.sparsity) {
    job.warn(text("a sparsity of ", sparsity, " instead of ", options.sparsity,
                  ": zUpdate 'l1' cuts what falls below l1 / rho = ", options.l1 / options.rho,
                  "; raise l1, lower rho, or use 'cardinality', which reaches it exactly"));
  }
}

void describe(const State& state, const Inputs& inputs, const Value& before, Report& report, Job& job) {
  std::vector<Candidate> candidates;
  for (const Layer& layer : state.model->layers()) {
    for (const ParameterInfo& info : state.split.encoderParameters()) {
      if (layer.prunable && info.path == layer.weightPath) {
        candidates.push_back({info.path, info.tensor, layer.outputDim});
      }
    }
  }
  report.sparsity = measureSparsity(candidates);
  const Value after = measureTargets(state, inputs, job);
  report.source.before = before.at("source").asDouble();
  report.source.after = state.best.accuracy();
  report.source.floor = state.floor;
  for (size_t i = 0; i < inputs.target.size(); ++i) {
    const Value& then = before.at("targets").asList()[i];
    const Value& now = after.asList()[i];
    TargetFigures figures;
    figures.domain = inputs.target[i]->name();
    fromValue(figures.before, then.at("accuracy"), "");
    fromValue(figures.after, now.at("accuracy"), "");
    figures.fisherBefore = then.at("fisher").asDouble();
    figures.fisherAfter = now.at("fisher").asDouble();
    report.targets.push_back(figures);
  }
  report.iterations = state.iterations;
  report.polish = state.polish;
  report.attackerRestarts = state.restarts;
  report.steps = state.steps;
}

Output protect(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  State state;
  state.options = &options;
  state.weights = resolveWeights(options);
  state.seed = job.seed();
  state.source = inputs.source->fit(kName);
  state.sourceSelect = inputs.source->select(kName);
  state.classes = (*state.source)->classes();
  state.model = inputs.model->clone()->to(job.device());
  state.split = SplitModel(state.model, options.split);
  report.cutAt = state.split.cutAt();
  report.weights = state.weights;
  collectParameters(state, options);
  const Weights& weights = state.weights;
  if (weights.alphaTarget > 0 || weights.lambdaFisher > 0) makeTargetHeads(state, inputs, options);
  if (weights.attacker > 0) makeAttacker(state, options);
  // Only the target's loss reads his head.
  if (weights.alphaTarget > 0) state.headSteps = options.targetHead.refreshSteps;
  if (weights.lambdaFisher > 0 && options.batchSize < 4 * state.classes) {
    job.warn(text("a batch of ", options.batchSize, " holds few samples of each of ", state.classes,
                  " classes: the Fisher ratio is noisy below ", 4 * state.classes));
  }
  state.sourceMean = torch::full({}, std::numeric_limits<double>::quiet_NaN(),
                                 at::TensorOptions().dtype(at::kDouble).device(job.device()));
  state.sums = torch::zeros({kFigures}, at::TensorOptions().dtype(at::kDouble).device(job.device()));
  state.optimizer = encoderOptimizer(state);

  double units = 0;
  const std::vector<Phase<State>> phases = phasesOf(state, inputs, options, units);
  job.plan(units);
  const Value before = job.memo("before", [&]() -> Value {
    return Value::Map{{"source", evaluateBetween(*state.model, state.sourceSelect.value(), job).accuracy},
                      {"targets", measureTargets(state, inputs, job)}};
  });
  state.floor = before.at("source").asDouble() - options.sourceFloor;
  TrainOptions training;
  training.precision = options.precision;
  training.units = units;
  train(job, state, phases, training);

  restoreBest(state, options, report, job);
  const std::shared_ptr<Mask> mask = maskOf(state);
  prune(*state.model, *mask);
  // Its file must not tell the buyer what it is protected against.
  state.model->mutableManifest().set("protected", true);
  describe(state, inputs, before, report, job);
  return {state.model, mask};
}

Options scaled(const Options& options, double strength) {
  const Weights weights = resolveWeights(options);
  Options out = options;
  out.strength = Strength::kFixed;
  out.alphaTarget.value = weights.alphaTarget * strength;
  out.lambdaFisher.value = weights.lambdaFisher * strength;
  // The attacker's weight acts through the gate: how much source loss is given up for it.
  out.simulated.sourceGate = options.simulated.sourceGate * strength;
  return out;
}

// Tries strengths, doubled while the floor holds and halved while it does not, then between the two.
Output search(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  const int64_t perTrial = options.iterations * stepsPerIteration(inputs, options) + options.polishSteps +
                           options.search.attackSteps;
  const int64_t trials = options.search.budget / perTrial;
  if (trials < 1) {
    fail(ErrorCode::kOutOfRange, "expected a search.budget of at least ", perTrial,
         " steps, those of one trial, received ", options.search.budget);
  }
  job.plan(static_cast<double>(trials));
  Value handles = Value::Map{{"model", HandlePtr(inputs.model)}, {"source", HandlePtr(inputs.source)}};
  Value targets = Value::List{};
  for (const auto& target : inputs.target) targets.push(HandlePtr(target));
  handles.set("target", std::move(targets));
  std::optional<double> holds;
  std::optional<double> fails;
  std::optional<MethodResult> chosen;
  size_t chosenTrial = 0;
  double strength = 1;
  for (int64_t i = 0; i < trials; ++i) {
    MethodResult result = job.run(kName, handles, toValue(scaled(options, strength)), 0.9);
    const int64_t samples = std::min(options.search.attackSamples, inputs.target.front()->fit(kName)->size());
    const Value attackOptions = Value::Map{{"count", samples}, {"steps", options.search.attackSteps}};
    const Value attackInputs =
        Value::Map{{"model", result.outputs.at("model")}, {"domain", HandlePtr(inputs.target.front())}};
    const MethodResult attack = job.run("attack.fineTune", attackInputs, attackOptions, 0.1);
    Trial trial;
    trial.strength = strength;
    trial.sourceAccuracy = result.report.at("source").at("after").asDouble();
    trial.holdsFloor = result.report.at("source").at("held").asBool();
    trial.attackedAccuracy =
        evaluateBetween(*attack.output<Model>("model"), inputs.target.front()->select(kName), job).accuracy;
    report.frontier.push_back(trial);
    const bool better = !chosen || (trial.holdsFloor &&
                                    (!report.frontier[chosenTrial].holdsFloor ||
                                     trial.attackedAccuracy < report.frontier[chosenTrial].attackedAccuracy));
    if (better) {
      chosen = std::move(result);
      chosenTrial = report.frontier.size() - 1;
    }
    if (trial.holdsFloor) {
      holds = strength;
    } else {
      fails = strength;
    }
    if (holds && fails && *fails / *holds < kCloseStrengths) break;
    strength = holds && fails ? std::sqrt(*holds * *fails) : holds ? 2 * *holds : *fails / 2;
  }
  std::vector<Trial> frontier = std::move(report.frontier);
  frontier[chosenTrial].chosen = true;
  const MethodResult& best = chosen.value();
  fromValue(report, best.report, "");
  report.frontier = std::move(frontier);
  return {best.output<Model>("model")->clone(), best.output<Mask>("mask")};
}

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  check(inputs, options);
  return options.strength == Strength::kAuto ? search(inputs, options, report, job)
                                             : protect(inputs, options, report, job);
}

}  // namespace

Method authorizeNonTransferablePruning() { return method(kName, run); }

}  // namespace espalier
