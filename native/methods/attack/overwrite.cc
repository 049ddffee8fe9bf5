#include "methods/attack/overwrite.h"

#include <algorithm>

#include "core/attack/attack.h"
#include "core/attack/measure.h"
#include "core/inputs.h"
#include "core/key.h"
#include "core/patch.h"

// A model that may bear an ownership mark, bound once more to a key of the attacker's: what is left of the
// owner's mark, and does the model now bear two? The binding is authorize.nonTransferableLearning,
// 'ownership' (Wang et al., ICLR 2022, arXiv 2106.06916); the attack is ours.
namespace espalier {

namespace {

constexpr const char* kName = "attack.overwrite";
constexpr int64_t kReadings = 6;
// Of the run's work, where the binding is 1.
constexpr double kMeasuring = 0.05;

struct Inputs : ModelOnDomain {
  std::optional<std::shared_ptr<Key>> key;  // the owner's
  template <class V>
  void fields(V&& visit) {
    ModelOnDomain::fields(visit);
    visit("key", key);
  }
};

struct Options : AttackSamples {
  PatchOptions ownerPatch;
  PatchOptions patch;
  double alpha = 1;
  double decoys = 0.5;
  int64_t steps = 300;
  int64_t batchSize = 32;
  double learningRate = 1e-3;
  double sourceFloor = 0.02;
  template <class V>
  void fields(V&& visit) {
    AttackSamples::fields(visit);
    visit("ownerPatch", ownerPatch);
    visit("patch", patch);
    visit("alpha", alpha, {.min = 0, .exclusiveMin = true});
    visit("decoys", decoys, {.min = 0, .max = 1});
    visit("steps", steps, {.min = 1, .max = 10000000});
    visit("batchSize", batchSize, {.min = 2, .max = 1048576});
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("sourceFloor", sourceFloor, {.min = 0, .max = 1});
  }
};

// What a model answers on images under one pattern.
struct MarkFigures {
  std::string digest;  // of key and pattern
  PublishedAnswers before;
  PublishedAnswers after;
  template <class V>
  void fields(V&& visit) {
    visit("digest", digest);
    visit("before", before);
    visit("after", after);
  }
};

struct Report : AttackFigures {
  std::optional<MarkFigures> owner;
  MarkFigures attacker;
  template <class V>
  void fields(V&& visit) {
    AttackFigures::fields(visit);
    visit("owner", owner);
    visit("attacker", attacker);
  }
};

struct Output {
  std::shared_ptr<Model> model;
  std::shared_ptr<Key> key;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("key", key);
  }
};

// A pattern's report data and what comes of it, before and after.
struct Mark {
  std::shared_ptr<Domain> domain;
  MarkFigures* figures;
};

Value bindingOptions(const Options& options) {
  return Value::Map{{"variant", "ownership"},
                    {"alpha", options.alpha},
                    {"decoys", options.decoys},
                    {"patch", toValue(options.patch)},
                    {"steps", options.steps},
                    {"batchSize", options.batchSize},
                    {"control", false},
                    {"learningRate", options.learningRate},
                    {"sourceFloor", options.sourceFloor},
                    {"readings", std::min(kReadings, options.steps)}};
}

// Trains on the samples; which iterate to keep the domain's select data says.
std::shared_ptr<Model> overwrite(const std::shared_ptr<Model>& model, const Domain& domain,
                                 const FitData& samples, const std::shared_ptr<Key>& key,
                                 const Options& options, Report& report, Job& job) {
  const auto held = std::make_shared<Domain>(domain.name(), samples.dataset(), domain.select(kName).dataset(),
                                             /*report=*/nullptr);
  const Stopwatch watch;
  const MethodResult bound =
      job.run("authorize.nonTransferableLearning",
              Value::Map{{"model", HandlePtr(model)}, {"source", HandlePtr(held)}, {"key", HandlePtr(key)}},
              bindingOptions(options));
  report.cost.seconds = job.memo("seconds", [&] { return Value(watch.seconds()); }).asDouble();
  report.cost.steps = bound.report.at("steps").asInt();
  report.cost.labels = samples->size();
  // A batch plain, and one under the pattern.
  report.cost.images = 2 * report.cost.steps * std::min(options.batchSize, samples->size());
  return bound.output<Model>("model");
}

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  requireAttackable(*inputs.model, *inputs.domain, kName);
  const FitData samples = drawSamples(*inputs.domain, options, kName, job.seed());
  report.samples = samples->size();
  const std::shared_ptr<Key> key = Key::derive(text(kName, " ", job.seed()));

  std::vector<Mark> marks;
  const auto mark = [&](const Key& by, const PatchOptions& patch, MarkFigures& figures) {
    const std::string& secret = by.secret(kName);
    figures.digest = patchDigest(secret, patch);
    marks.push_back({patched(*inputs.domain, secret, patch), &figures});
  };
  mark(*key, options.patch, report.attacker);
  if (inputs.key) mark(*inputs.key.value(), options.ownerPatch, report.owner.emplace());

  job.plan(1 + 2 * kMeasuring * static_cast<double>(1 + marks.size()));
  const auto measure = [&](const Model& model, const char* when, PublishedAnswers MarkFigures::* answers) {
    for (const Mark& one : marks) {
      one.figures->*answers = measureAnswers(model, one.domain->report(kName),
                                             text(when, ", ", one.domain->name()), kMeasuring, job);
    }
    return measureAnswers(model, inputs.domain->report(kName), when, kMeasuring, job);
  };
  // First, so that its seed is the same whether the owner's mark is measured or not.
  Output output{overwrite(inputs.model, *inputs.domain, samples, key, options, report, job), key};
  report.before = measure(*inputs.model->to(job.device()), "before", &MarkFigures::before);
  report.after = measure(*output.model, "after", &MarkFigures::after);
  return output;
}

}  // namespace

Method attackOverwrite() { return method(kName, run); }

}  // namespace espalier
