#include "methods/authorize/mask_pruning.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/attack/transfer.h"
#include "core/metrics.h"
#include "core/random.h"
#include "kernels/ops.h"
#include "methods/authorize/mask_pruning_state.h"

// MAP (Peng, Qu, Wu, Zou, He, Knoll, Chen, Jiang, CVPR 2024, arXiv 2403.04149). There is no official code:
// what the paper does not say is ours, above all how the mask is learned (mask_pruning_scores.h).
//
// The weights of a trained model stay as they are; a binary mask over them is learned, under which the model
// is right on the source and wrong on the target.
namespace espalier {

using namespace mask_pruning;

namespace {

constexpr const char* kName = "authorize.maskPruning";

using Targets = std::vector<std::shared_ptr<Domain>>;

void checkDomain(const Model& model, const Dataset& data, const std::string& name) {
  const int64_t outputs = requireClassifier(model, data, text("domain ", name));
  if (data.classes() == outputs) return;
  fail(ErrorCode::kDataInvalid, kName, ": expected ", outputs,
       " classes, as many as the model tells apart, in domain ", name, ", found ", data.classes());
}

void check(const Model& model, const Domain& source, const Targets& targets, const Options& options) {
  model.requireTrainable(kName);
  if (targets.empty())
    fail(ErrorCode::kOutOfRange, kName, ": expected at least one target domain, received none");
  const FitData fit = source.fit(kName);
  source.select(kName);
  checkDomain(model, *fit, source.name());
  std::set<std::string> digests = {fit->digest()};
  for (const auto& target : targets) {
    const FitData data = target->fit(kName);
    if (!digests.insert(data->digest()).second) {
      fail(ErrorCode::kDataInvalid, kName,
           ": expected target domains that differ from the source and from each other, received the same fit "
           "data again as ",
           target->name());
    }
    checkDomain(model, *data, target->name());
  }
  if (options.threshold >= options.scoreStart) {
    fail(ErrorCode::kOutOfRange, kName, ": expected a threshold below scoreStart (", options.scoreStart,
         "), where every weight is kept, received ", options.threshold);
  }
  if (options.readings > options.steps) {
    fail(ErrorCode::kOutOfRange, kName, ": expected at most as many readings as steps (", options.steps,
         "), received ", options.readings);
  }
}

std::vector<Candidate> candidatesOf(const Model& model, const Options& options) {
  std::vector<Candidate> candidates = pruningCandidates(model, options.weights);
  if (options.keepHead) {
    const std::string& head = model.layers()[headLayer(model)].weightPath;
    std::erase_if(candidates, [&](const Candidate& candidate) { return candidate.path == head; });
  }
  if (!candidates.empty()) return candidates;
  fail(ErrorCode::kModelUnsupported, kName,
       ": expected weights to learn a mask over, found none but those of the classifier, which keepHead "
       "leaves as they are");
}

// The model's own answers.
at::Tensor answersOf(const Model& model, const Dataset& data, Job& job) {
  constexpr int64_t kBatch = 256;
  const torch::NoGradGuard noGrad;
  std::vector<at::Tensor> answers;
  for (int64_t begin = 0; begin < data.size(); begin += kBatch) {
    job.checkCancelled();
    const at::Tensor indices = at::arange(begin, std::min(data.size(), begin + kBatch), at::kLong);
    answers.push_back(model.logits(data.gather(indices, model.device()).inputs, Mode::kEval).argmax(1).cpu());
  }
  return torch::cat(answers);
}

Phase<State> phaseOf(const Domain& source, const Targets& targets, const Options& options) {
  Phase<State> phase;
  phase.name = options.lambda > 0 ? "mask" : "control";
  const auto addStream = [&](const Domain& domain) {
    const FitData data = domain.fit(kName);
    StreamOptions stream;
    stream.batchSize = options.batchSize;
    stream.dropLast = data->size() >= options.batchSize;
    phase.streams.emplace_back(data, stream);
  };
  addStream(source);
  if (options.lambda > 0) {
    for (const auto& target : targets) addStream(*target);
  }
  // As many readings as divide the steps evenly.
  phase.epochs = options.readings;
  while (options.steps % phase.epochs != 0) --phase.epochs;
  phase.stepsPerEpoch = options.steps / phase.epochs;
  phase.step = step;
  phase.endEpoch = endReading;
  return phase;
}

// Accuracies on select data: the source's, then the targets'; null without any.
std::vector<std::optional<double>> measure(const Model& model, const Domain& source, const Targets& targets,
                                           Job& job) {
  const auto on = [&](const Domain& domain) -> std::optional<double> {
    if (!domain.has(Role::kSelect)) return std::nullopt;
    return evaluateBetween(model, domain.select(kName), job).accuracy;
  };
  std::vector<std::optional<double>> all = {on(source)};
  for (const auto& target : targets) all.push_back(on(*target));
  return all;
}

std::vector<std::optional<double>> remembered(Job& job, const std::string& key,
                                              const std::function<std::vector<std::optional<double>>()>& of) {
  std::vector<std::optional<double>> values;
  fromValue(values, job.memo(key, [&] { return toValue(of()); }), key);
  return values;
}

// As many weights kept in each layer as by the learned mask.
using Masks = std::vector<at::Tensor>;

Masks randomMasks(const std::vector<Candidate>& candidates, const std::vector<int64_t>& pruned,
                  uint64_t seed) {
  Masks masks;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const int64_t n = candidates[i].weight.numel();
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), int64_t{0});
    SplitMix64 random(mixSeed(seed, candidates[i].path));
    at::Tensor kept = torch::ones({n}, torch::kBool);
    auto* flags = kept.data_ptr<bool>();
    for (int64_t k = 0; k < pruned[i]; ++k) {
      const auto at = static_cast<size_t>(k);
      std::swap(order[at], order[at + random.below(static_cast<uint64_t>(n - k))]);
      flags[order[at]] = false;
    }
    masks.push_back(kept.view(candidates[i].weight.sizes()));
  }
  return masks;
}

Masks magnitudeMasks(const std::vector<Candidate>& candidates, const std::vector<int64_t>& pruned) {
  std::vector<at::Tensor> weights;
  weights.reserve(candidates.size());
  for (const Candidate& candidate : candidates) weights.push_back(candidate.weight.detach());
  return kernels::selectLowestEach(weights, pruned);
}

// Other masks on the same model, of which the learned one must be better.
class Controls {
 public:
  Controls(const Inputs& inputs, const Options& options, Job& job)
      : inputs_(inputs), options_(options), job_(job) {}

  std::vector<ControlFigures> run(const SparsityFigures& achieved) {
    std::vector<ControlFigures> all = {withoutTarget()};
    const std::shared_ptr<Model> dense = inputs_.model->to(job_.device());
    const std::vector<Candidate> candidates = candidatesOf(*dense, options_);
    std::vector<int64_t> pruned;
    for (const LayerFigures& layer : achieved.layers) pruned.push_back(layer.zeros);
    const auto measured = [&](const char* name, const Masks& masks) {
      ControlFigures figures;
      figures.name = name;
      figures.pruned = achieved.sparsity;
      const std::vector<std::optional<double>> accuracies =
          remembered(job_, name, [&] { return measureUnder(masks); });
      figures.source = accuracies[0].value();
      figures.targets.assign(accuracies.begin() + 1, accuracies.end());
      all.push_back(figures);
    };
    measured("random", randomMasks(candidates, pruned, mixSeed(job_.seed(), "random mask")));
    measured("magnitude", magnitudeMasks(candidates, pruned));
    return all;
  }

 private:
  // The same training with nothing to drive away.
  ControlFigures withoutTarget() {
    Options plain = options_;
    plain.lambda = 0;
    plain.controls = false;
    const Value handles = Value::Map{{"model", HandlePtr(inputs_.model)},
                                     {"source", HandlePtr(inputs_.source.value())},
                                     {"target", toValue(inputs_.target.value())}};
    const MethodResult result = job_.run(kName, handles, toValue(plain), 0.5);
    ControlFigures figures;
    figures.name = "lambda 0";
    figures.pruned = result.report.at("sparsity").asDouble();
    figures.source = result.report.at("source").at("after").asDouble();
    const Value::List& targets = result.report.at("targets").asList();
    for (const Value& target : targets) {
      std::optional<double> accuracy;
      fromValue(accuracy, target.at("after"), "");
      figures.targets.push_back(accuracy);
    }
    return figures;
  }

  std::vector<std::optional<double>> measureUnder(const Masks& masks) {
    const std::shared_ptr<Model> model = inputs_.model->clone()->to(job_.device());
    const std::vector<Candidate> candidates = candidatesOf(*model, options_);
    {
      const torch::NoGradGuard noGrad;
      for (size_t i = 0; i < masks.size(); ++i) {
        const at::Tensor& weight = candidates[i].weight;
        weight.masked_fill_(masks[i].logical_not().to(weight.device()), 0);
      }
    }
    return measure(*model, *inputs_.source.value(), inputs_.target.value(), job_);
  }

  const Inputs& inputs_;
  const Options& options_;
  Job& job_;
};

void describe(const State& state, const Inputs& inputs, const std::vector<std::optional<double>>& before,
              Report& report, Job& job) {
  const Domain& source = *inputs.source.value();
  const Targets& targets = inputs.target.value();
  const std::vector<std::optional<double>> after = measure(*state.model, source, targets, job);
  report.source.domain = source.name();
  report.source.before = before[0].value();
  report.source.after = after[0].value();
  report.source.floor = state.floor;
  report.source.held = state.best.holds();
  report.source.restoredStep = state.best.step();
  for (size_t i = 0; i < targets.size(); ++i) {
    TargetFigures figures;
    figures.domain = targets[i]->name();
    figures.before = before[i + 1];
    figures.after = after[i + 1];
    if (figures.before.value_or(0) > 0) figures.drop = 1 - figures.after.value() / figures.before.value();
    report.targets.push_back(figures);
  }
  report.readings = state.readings;
  report.steps = state.steps;
}

int64_t samplesOf(const Domain& domain) {
  int64_t count = domain.fit(kName)->size();
  if (domain.has(Role::kSelect)) count += domain.select(kName)->size();
  return count;
}

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  const Domain& source = *inputs.source.value();
  const Targets& targets = inputs.target.value();
  check(*inputs.model, source, targets, options);
  const bool controlled = options.controls && options.lambda > 0;
  job.plan(controlled ? 1.5 : 1);

  State state;
  state.options = &options;
  state.sourceSelect = source.select(kName);
  state.model = inputs.model->clone()->to(job.device());
  const std::vector<std::optional<double>> before =
      remembered(job, "before", [&] { return measure(*state.model, source, targets, job); });
  state.floor = before[0].value() - options.sourceFloor;
  if (options.targetLabels == Labels::kPseudo) {
    for (const auto& target : targets)
      state.pseudoLabels.push_back(answersOf(*state.model, *target->fit(kName), job));
  }
  const std::vector<Candidate> candidates = candidatesOf(*state.model, options);
  LearnedMask::Options scores;
  scores.start = options.scoreStart;
  scores.threshold = options.threshold;
  state.mask = LearnedMask(candidates, scores);
  state.sums = torch::zeros({kFigures}, at::TensorOptions().dtype(at::kDouble).device(job.device()));
  TrainOptions training;
  training.precision = options.precision;
  train(job, state, {phaseOf(source, targets, options)}, training);

  state.best.restore(*state.model);
  if (!state.best.holds() && options.lambda > 0) {
    job.warn(text("the source fell to ", state.best.accuracy(), ", below the floor of ", state.floor,
                  ": lower lambda or the learning rate of the scores, or train longer"));
  }
  report.dense = inputs.model->digest();
  const std::shared_ptr<Mask> mask = state.mask.maskOf(report.dense);
  prune(*state.model, *mask);
  // Its file must not tell the buyer what it is protected against.
  if (options.lambda > 0) state.model->mutableManifest().set("protected", true);
  static_cast<SparsityFigures&>(report) = measureSparsity(candidates);
  describe(state, inputs, before, report, job);
  report.read.source = samplesOf(source);
  for (const auto& target : targets) report.read.target += samplesOf(*target);
  if (controlled) report.controls = Controls(inputs, options, job).run(report);
  return {state.model, mask};
}

}  // namespace

Method authorizeMaskPruning() { return method(kName, run); }

}  // namespace espalier
