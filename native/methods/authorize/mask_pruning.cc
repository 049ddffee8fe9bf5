#include "methods/authorize/mask_pruning.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/attack/transfer.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/source_targets.h"
#include "methods/authorize/mask_pruning_controls.h"
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

// The domains that there are.
struct Domains {
  std::shared_ptr<Domain> source;  // null: imagined
  Targets targets;                 // none: imagined

  explicit Domains(const Inputs& inputs)
      : source(inputs.source.value_or(nullptr)), targets(inputs.target.value_or(Targets{})) {}
};

void check(const Model& model, const Domains& domains, const Options& options) {
  model.requireTrainable(kName);
  if (domains.targets.empty() && options.variant != Variant::kDataFree)
    fail(ErrorCode::kOutOfRange, kName, ": expected at least one target domain, received none");
  requireSourceAndTargets(model, domains.source.get(), domains.targets, kName);
  if (options.threshold >= options.scoreStart) {
    fail(ErrorCode::kOutOfRange, kName, ": expected a threshold below scoreStart (", options.scoreStart,
         "), where every weight is kept, received ", options.threshold);
  }
  const int64_t rounds = options.rounds.value_or(1);
  if (options.steps.value() % rounds != 0) {
    fail(ErrorCode::kOutOfRange, kName, ": expected as many steps as rounds (", rounds,
         ") divide evenly, received ", options.steps.value());
  }
  if (options.readings > options.steps.value() || options.readings < rounds) {
    fail(ErrorCode::kOutOfRange, kName, ": expected at least as many readings as rounds (", rounds,
         ") and at most as many as steps (", options.steps.value(), "), received ", options.readings);
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

Phase<State> maskPhase(const Domains& domains, const Options& options) {
  Phase<State> phase;
  phase.name = options.lambda > 0 ? "mask" : "control";
  const auto addStream = [&](const Domain& domain) {
    const FitData data = domain.fit(kName);
    StreamOptions stream;
    stream.batchSize = options.batchSize;
    stream.dropLast = data->size() >= options.batchSize;
    phase.streams.emplace_back(data, stream);
  };
  if (domains.source) addStream(*domains.source);
  if (options.lambda > 0) {
    for (const auto& target : domains.targets) addStream(*target);
  }
  const int64_t rounds = options.rounds.value_or(1);
  const int64_t steps = options.steps.value() / rounds;
  phase.epochs = evenParts(steps, options.readings / rounds);
  phase.stepsPerEpoch = steps / phase.epochs;
  phase.step = step;
  phase.endEpoch = endReading;
  return phase;
}

// What imagines learns first, then the mask does, in turn.
std::vector<Phase<State>> phasesOf(const Domains& domains, const Options& options) {
  std::vector<Phase<State>> phases;
  for (int64_t round = 0; round < options.rounds.value_or(1); ++round) {
    if (options.generator) {
      Phase<State> phase;
      phase.name = "generator";
      phase.stepsPerEpoch = round == 0 ? options.generator->steps : options.generator->laterSteps;
      phase.step = generatorStep;
      phase.endEpoch = endGenerator;
      phases.push_back(phase);
    }
    if (options.diversifier && options.lambda > 0) {
      Phase<State> phase;
      phase.name = "diversifier";
      phase.epochs = options.diversifier->directions;
      phase.stepsPerEpoch = options.diversifier->steps;
      phase.step = diversifierStep;
      phase.endEpoch = endDiversifier;
      phases.push_back(phase);
    }
    phases.push_back(maskPhase(domains, options));
  }
  return phases;
}

// The shape of the images that are imagined.
std::vector<int64_t> shapeOf(const Model& model, const Domains& domains, const Options& options) {
  if (!domains.targets.empty()) return domains.targets.front()->sampleShape();
  if (options.imageShape) {
    if (options.imageShape->size() == 3) return *options.imageShape;
    fail(ErrorCode::kOutOfRange, kName,
         ": expected three numbers for imageShape (channels, height, width), received ",
         options.imageShape->size());
  }
  const Value* architecture = model.manifest().find("architecture");
  const Value* channels = architecture == nullptr ? nullptr : architecture->find("inChannels");
  const Value* size = architecture == nullptr ? nullptr : architecture->find("inputSize");
  if (channels == nullptr || size == nullptr) {
    fail(ErrorCode::kOutOfRange, kName,
         ": expected imageShape (channels, height, width), since the model's manifest does not tell it, "
         "received none");
  }
  return {channels->asInt(), size->asInt(), size->asInt()};
}

// ERR_MODEL_RUN where the model does not take such images.
int64_t classesOf(const Model& model, const std::vector<int64_t>& shape) {
  const torch::NoGradGuard noGrad;
  return model.logits(torch::zeros({2, shape[0], shape[1], shape[2]}, model.device()), Mode::kEval).size(1);
}

// What stands for the source is measured as the source is.
Accuracies measure(const Model& model, const State& state, const Domains& domains, Job& job) {
  Accuracies all = {sourceAccuracy(state, model, job)};
  for (const auto& target : domains.targets) all.push_back(selectAccuracy(model, *target, job));
  return all;
}

// Other masks on the same model, of which the learned one must be better.
class Controls {
 public:
  Controls(const Inputs& inputs, const State& state, Job& job)
      : inputs_(inputs), options_(*state.options), state_(state), domains_(inputs), job_(job) {}

  std::vector<ControlFigures> run(const SparsityFigures& achieved) {
    std::vector<ControlFigures> all = {withoutTarget()};
    const std::shared_ptr<Model> dense = inputs_.model->to(job_.device());
    const std::vector<Candidate> candidates = candidatesOf(*dense, options_);
    std::vector<int64_t> pruned;
    for (const LayerFigures& layer : achieved.layers) pruned.push_back(layer.zeros);
    const auto measured = [&](const char* name, const std::vector<at::Tensor>& masks) {
      ControlFigures figures;
      figures.name = name;
      figures.pruned = achieved.sparsity;
      const Accuracies accuracies = measuredOnce(job_, name, [&] { return measureUnder(masks); });
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
    Value handles = Value::Map{{"model", HandlePtr(inputs_.model)}};
    if (inputs_.source) handles.set("source", HandlePtr(*inputs_.source));
    if (inputs_.target) handles.set("target", toValue(*inputs_.target));
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

  Accuracies measureUnder(const std::vector<at::Tensor>& masks) {
    const std::shared_ptr<Model> model = inputs_.model->clone()->to(job_.device());
    const std::vector<Candidate> candidates = candidatesOf(*model, options_);
    {
      const torch::NoGradGuard noGrad;
      for (size_t i = 0; i < masks.size(); ++i) {
        const at::Tensor& weight = candidates[i].weight;
        weight.masked_fill_(masks[i].logical_not().to(weight.device()), 0);
      }
    }
    return measure(*model, state_, domains_, job_);
  }

  const Inputs& inputs_;
  const Options& options_;
  const State& state_;
  Domains domains_;
  Job& job_;
};

void describe(const State& state, const Domains& domains, const Accuracies& before, Report& report,
              Job& job) {
  const Accuracies after = measure(*state.model, state, domains, job);
  if (domains.source) report.source.domain = domains.source->name();
  report.source.before = before[0].value();
  report.source.after = after[0].value();
  report.source.floor = state.floor;
  report.source.held = state.best.holds();
  report.source.restoredStep = state.best.step();
  report.targets = targetOutcomes(domains.targets, before, after);
  report.readings = state.readings;
  report.steps = state.steps;
  if (!state.imagination) return;
  report.generator = state.imagination->rounds;
  report.diversifier = state.imagination->diversified;
  report.read.generated = state.imagination->made;
}

int64_t samplesOf(const Domain& domain) {
  int64_t count = domain.fit(kName)->size();
  if (domain.has(Role::kSelect)) count += domain.select(kName)->size();
  return count;
}

// What stands for a source that is not there is right by definition before the mask is.
Accuracies measureBefore(const State& state, const Domains& domains, Job& job) {
  return measuredOnce(job, "before", [&]() -> Accuracies {
    if (!state.imagination) return measure(*state.model, state, domains, job);
    Accuracies all = {1.0};
    for (const auto& target : domains.targets) all.push_back(selectAccuracy(*state.model, *target, job));
    return all;
  });
}

bool readsTargetLabels(const Options& options) {
  return options.variant == Variant::kSourceAvailable && options.targetLabels == Labels::kGiven;
}

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  const Domains domains(inputs);
  check(*inputs.model, domains, options);
  const bool controlled = options.controls && options.lambda > 0;
  job.plan(controlled ? 1.5 : 1);

  State state;
  state.options = &options;
  state.model = inputs.model->clone()->to(job.device());
  if (domains.source) {
    state.sourceSelect = domains.source->select(kName);
  } else {
    const std::vector<int64_t> shape = shapeOf(*state.model, domains, options);
    state.imagination = imaginationOf(inputs.model->clone()->to(job.device()), classesOf(*state.model, shape),
                                      shape, options, job.seed());
  }
  const Accuracies before = measureBefore(state, domains, job);
  state.floor = before[0].value() - options.sourceFloor;
  if (!readsTargetLabels(options) && options.lambda > 0) {
    for (const auto& target : domains.targets)
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
  train(job, state, phasesOf(domains, options), training);

  state.best.restore(*state.model);
  if (!state.best.holds() && options.lambda > 0) {
    job.warn(text("the source fell to ", state.best.accuracy(), ", below the floor of ", state.floor,
                  ": lower lambda, beta or the learning rate of the scores, or train longer"));
  }
  report.dense = inputs.model->digest();
  const std::shared_ptr<Mask> mask = state.mask.maskOf(report.dense);
  prune(*state.model, *mask);
  // Its file must not tell the buyer what it is protected against.
  if (options.lambda > 0) state.model->mutableManifest().set("protected", true);
  static_cast<SparsityFigures&>(report) = measureSparsity(candidates);
  describe(state, domains, before, report, job);
  if (domains.source) report.read.source = samplesOf(*domains.source);
  for (const auto& target : domains.targets) report.read.target += samplesOf(*target);
  if (controlled) report.controls = Controls(inputs, state, job).run(report);
  return {state.model, mask};
}

}  // namespace

Method authorizeMaskPruning() { return method(kName, run); }

}  // namespace espalier
