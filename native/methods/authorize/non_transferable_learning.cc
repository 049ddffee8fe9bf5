#include "methods/authorize/non_transferable_learning.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>

#include "core/metrics.h"
#include "core/random.h"
#include "core/source_targets.h"
#include "core/train/trainable.h"
#include "methods/authorize/non_transferable_learning_augment.h"
#include "methods/authorize/non_transferable_learning_state.h"

// Non-Transferable Learning (Wang, Xu, Xu, Wang, Zhu, ICLR 2022, arXiv 2106.06916).
//
// The model is trained to be right on the source and wrong on a target, while the features of the two are
// driven apart: the product of target loss and discrepancy is maximised, so that neither grows without the
// other. What the target is tells the variants apart: another domain; the source under a secret patch, which
// proves ownership; or all but the source under a secret patch, which opens the model to licensed users.
namespace espalier {

using namespace non_transferable_learning;

namespace {

constexpr const char* kName = "authorize.nonTransferableLearning";
// How deep in the network the discrepancy is taken: the published layer of VGG-11 is the fourth of ten.
constexpr double kFeatureDepth = 0.4;

// Of the planned work, beside the training itself.
constexpr double kAugmentationUnits = 2;
// What authorize.verifyOwnership asks for by default.
constexpr double kLeastMark = 0.5;
// Images that it knows less of are not about what the model does.
constexpr double kLeastAgreement = 0.5;

// Where the model works, and where it must not.
struct Domains {
  std::shared_ptr<Domain> source;
  std::vector<std::shared_ptr<Domain>> targets;
};

Domains domainsOf(const Inputs& inputs, const Options& options) {
  const std::vector<std::shared_ptr<Domain>> given =
      inputs.target.value_or(std::vector<std::shared_ptr<Domain>>{});
  if (options.variant == Variant::kTargetSpecified || options.variant == Variant::kSourceOnly)
    return {inputs.source, given};
  const std::string& secret = inputs.key.value()->secret(kName);
  const PatchOptions patch = options.patch.value_or(PatchOptions{});
  const std::shared_ptr<Domain> marked = patched(*inputs.source, secret, patch);
  if (options.variant == Variant::kOwnership) return {inputs.source, {marked}};
  Domains domains{marked, {inputs.source}};
  for (const auto& target : given) {
    domains.targets.push_back(target);
    domains.targets.push_back(patched(*target, secret, patch));
  }
  return domains;
}

void check(const Model& model, const Domains& domains, const Options& options) {
  model.requireTrainable(kName);
  if (domains.targets.empty() && options.variant != Variant::kSourceOnly)
    fail(ErrorCode::kOutOfRange, "expected at least one target domain, received none");
  requireSourceAndTargets(model, domains.source.get(), domains.targets, kName);
  const FitData source = domains.source->fit(kName);
  if (source->size() < 2) {
    fail(ErrorCode::kDataInvalid, "expected at least 2 samples in the fit data of domain ",
         domains.source->name(), ", found ", source->size(), ": the discrepancy needs pairs");
  }
  if (!options.epochs && options.readings > options.steps.value()) {
    fail(ErrorCode::kOutOfRange, "expected at most as many readings as steps (", options.steps.value(),
         "), received ", options.readings);
  }
}

// The first layer from that depth on, with its norm, behind which the model can be cut.
std::string featureLayerOf(const std::shared_ptr<Model>& model) {
  std::vector<const Layer*> layers;
  for (const Layer& layer : model->layers()) {
    if (layer.prunable) layers.push_back(&layer);
  }
  if (layers.size() > 1) layers.pop_back();  // the classifier
  auto first = static_cast<size_t>(std::ceil(kFeatureDepth * static_cast<double>(layers.size())));
  for (size_t i = std::max<size_t>(first, 1) - 1; i < layers.size(); ++i) {
    const std::string path = layers[i]->norm.value_or(layers[i]->path);
    try {
      const SplitModel fits(model, path);
      return path;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kModelUnsupported) throw;
    }
  }
  fail(ErrorCode::kModelUnsupported,
       "expected a layer that everything passes through to take features behind, found none: name one as "
       "featureLayer");
}

int64_t stepsOf(const Domains& domains, const Options& options) {
  if (!options.epochs) return options.steps.value();
  int64_t shortest = domains.source->fit(kName)->size();
  for (const auto& target : domains.targets) shortest = std::min(shortest, target->fit(kName)->size());
  return *options.epochs * std::max<int64_t>(1, shortest / options.batchSize);
}

Phase<State> phaseOf(const Domains& domains, const Options& options) {
  Phase<State> phase;
  phase.name = options.alpha > 0 ? "protect" : "control";
  const auto addStream = [&](const Domain& domain) {
    const FitData data = domain.fit(kName);
    StreamOptions stream;
    stream.batchSize = options.batchSize;
    stream.dropLast = data->size() >= options.batchSize;
    phase.streams.emplace_back(data, stream);
  };
  addStream(*domains.source);
  if (options.alpha > 0) {
    for (const auto& target : domains.targets) addStream(*target);
  }
  const int64_t steps = stepsOf(domains, options);
  phase.epochs = evenParts(steps, options.readings);
  phase.stepsPerEpoch = steps / phase.epochs;
  phase.step = step;
  phase.endEpoch = endReading;
  return phase;
}

Accuracies measure(const Model& model, const Domains& domains, Job& job) {
  Accuracies all = {selectAccuracy(model, *domains.source, job)};
  for (const auto& target : domains.targets) all.push_back(selectAccuracy(model, *target, job));
  return all;
}

// The same training with nothing to drive away: what the steps alone do.
ControlFigures controlOf(const Inputs& inputs, const Domains& domains, const Options& options, Job& job) {
  Options plain = options;
  plain.alpha = 0;
  plain.control = false;
  Value handles = Value::Map{{"model", HandlePtr(inputs.model)}, {"source", HandlePtr(inputs.source)}};
  if (inputs.target) handles.set("target", toValue(*inputs.target));
  if (inputs.key) handles.set("key", HandlePtr(*inputs.key));
  const MethodResult result = job.run(kName, handles, toValue(plain), 0.5);
  ControlFigures figures;
  figures.source = result.report.at("source").at("after").asDouble();
  const Value::List& targets = result.report.at("targets").asList();
  for (size_t i = 0; i < targets.size(); ++i) {
    std::optional<double> accuracy;
    fromValue(accuracy, targets[i].at("after"), "");
    figures.targets.push_back({domains.targets[i]->name(), accuracy});
  }
  return figures;
}

void describe(const State& state, const Domains& domains, const Accuracies& before, Report& report,
              Job& job) {
  const Accuracies after = measure(*state.model, domains, job);
  report.source.domain = domains.source->name();
  report.source.before = before[0].value();
  report.source.after = after[0].value();
  report.source.floor = state.floor;
  report.source.held = state.best.holds();
  report.source.restoredStep = state.best.step();
  report.targets = targetOutcomes(domains.targets, before, after);
  report.readings = state.readings;
  report.steps = state.steps;
}

PatchFigures patchFigures(const Inputs& inputs, const Options& options) {
  const std::string& secret = inputs.key.value()->secret(kName);
  const PatchOptions patch = options.patch.value_or(PatchOptions{});
  const std::vector<int64_t> shape = inputs.source->sampleShape();
  return {patchDigest(secret, patch), patchPixels(secret, shape[1], shape[2], patch).sum().item<int64_t>()};
}

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  Domains domains = domainsOf(inputs, options);
  check(*inputs.model, domains, options);
  const bool controlled = options.control && options.alpha > 0;
  const bool augments = options.variant == Variant::kSourceOnly && options.alpha > 0;
  job.plan((controlled ? 1.5 : 1) + (augments ? kAugmentationUnits : 0));
  if (augments) {
    Augmented augmented = augment(*inputs.model->to(job.device()), *inputs.source,
                                  options.augmentation.value(), job, kAugmentationUnits);
    domains.targets = {augmented.domain};
    report.augmentation = std::move(augmented.figures);
    if (report.augmentation.value().agreement < kLeastAgreement) {
      job.warn(
          text("the model takes ", report.augmentation.value().agreement,
               " of the made images for their class: they say little about its domain; make the generator "
               "larger (augmentation.channels) or train it longer (augmentation.steps)"));
    }
  }
  State state;
  state.options = &options;
  state.source = domains.source->fit(kName);
  state.sourceSelect = domains.source->select(kName);
  state.classes = (*state.source)->classes();
  state.model = inputs.model->clone()->to(job.device());
  report.featureLayer = options.featureLayer.value_or(featureLayerOf(state.model));
  state.split = SplitModel(state.model, report.featureLayer);

  const Accuracies before = measuredOnce(job, "before", [&] { return measure(*state.model, domains, job); });
  state.floor = before[0].value() - options.sourceFloor;
  {
    const Batch one = (*state.source)->gather(at::zeros({1}, at::kLong), job.device());
    const at::NoGradGuard noGrad;
    report.features = state.split.encode(one.inputs, Mode::kEval).numel();
  }
  std::shared_ptr<Mask> zeros;
  if (keepsZeros(*state.model, options.keepZeros)) zeros = Mask::ofNonZeros(*state.model);
  Trainable trainable = trainableOf(*state.model, zeros.get());
  OptimizerOptions adam;
  adam.kind = OptimizerKind::kAdam;
  adam.learningRate = options.learningRate;
  adam.weightDecay = options.weightDecay;
  state.optimizer = Optimizer(adam, std::move(trainable.parameters), std::move(trainable.masks));
  state.sums = torch::zeros({kFigures}, at::TensorOptions().dtype(at::kDouble).device(job.device()));
  TrainOptions training;
  training.precision = options.precision;
  train(job, state, {phaseOf(domains, options)}, training);

  state.best.restore(*state.model);
  if (!state.best.holds() && options.alpha > 0) {
    job.warn(text("the source fell to ", state.best.accuracy(), ", below the floor of ", state.floor,
                  ": lower alpha, beta or the learning rate, or train longer"));
  }
  // Its file must not tell the buyer what it is protected against.
  if (options.alpha > 0) state.model->mutableManifest().set("protected", true);
  describe(state, domains, before, report, job);
  if (inputs.key) report.patch = patchFigures(inputs, options);
  if (options.variant == Variant::kOwnership && options.alpha > 0 &&
      report.targets.front().drop.value_or(1) < kLeastMark) {
    job.warn(text("the pattern takes ", report.targets.front().drop.value_or(0),
                  " of the accuracy: it has not been taken up; train longer, or raise alpha"));
  }
  if (controlled) report.control = controlOf(inputs, domains, options, job);
  return {state.model};
}

}  // namespace

Method authorizeNonTransferableLearning() { return method(kName, run); }

}  // namespace espalier
