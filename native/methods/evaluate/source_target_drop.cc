#include "methods/evaluate/source_target_drop.h"

#include <set>

#include "core/metrics.h"
#include "core/random.h"
#include "methods/evaluate/source_target_drop_bootstrap.h"

// What protection took from the source over what it took from the targets: ST-D of MAP (Peng et al., CVPR
// 2024, arXiv 2403.04149). When there is no ratio, and the intervals, are ours.
namespace espalier {

namespace {

using namespace drop;

constexpr const char* kName = "evaluate.sourceTargetDrop";
// Of the job's work, beside that of the models.
constexpr double kBootstrapShare = 0.05;

struct Inputs {
  std::shared_ptr<Model> original;
  std::shared_ptr<Model> protectedModel;
  std::shared_ptr<Domain> source;
  std::vector<std::shared_ptr<Domain>> target;
  template <class V>
  void fields(V&& visit) {
    visit("original", original);
    visit("protected", protectedModel);
    visit("source", source);
    visit("target", target);
  }
};

struct Options {
  int64_t resamples = 2000;
  template <class V>
  void fields(V&& visit) {
    visit("resamples", resamples, {.min = 100, .max = 100000});
  }
};

struct DomainDrop {
  std::string domain;
  PublishedAnswers original;
  PublishedAnswers protectedModel;
  PublishedPairs pairs;
  Estimate drop;
  template <class V>
  void fields(V&& visit) {
    visit("domain", domain);
    visit("original", original);
    visit("protected", protectedModel);
    visit("pairs", pairs);
    visit("drop", drop);
  }
};

struct TargetDrop {
  DomainDrop target;
  Estimate ratio;
  template <class V>
  void fields(V&& visit) {
    target.fields(visit);
    visit("sourceTargetDrop", ratio);
  }
};

struct Report {
  DomainDrop source;
  std::vector<TargetDrop> targets;
  Estimate meanTargetDrop;
  Estimate ratioOfMeans;
  Estimate meanOfRatios;
  template <class V>
  void fields(V&& visit) {
    visit("source", source);
    visit("targets", targets);
    visit("meanTargetDrop", meanTargetDrop);
    visit("ratioOfMeans", ratioOfMeans);
    visit("meanOfRatios", meanOfRatios);
  }
};

struct Output {
  template <class V>
  void fields(V&&) {}
};

void check(const Inputs& inputs, const Model& original, const Model& protectedModel) {
  if (inputs.target.empty())
    fail(ErrorCode::kOutOfRange, kName, ": expected at least one target, received none");
  std::set<std::string> digests = {inputs.source->report(kName)->digest()};
  for (const auto& target : inputs.target) {
    if (digests.insert(target->report(kName)->digest()).second) continue;
    fail(
        ErrorCode::kDataInvalid, kName,
        ": expected target domains that differ from the source and from each other, received the same report "
        "data again as ",
        target->name(), ": name each domain once");
  }
  const auto checkDomain = [&](const Domain& domain) {
    for (const Model* model : {&original, &protectedModel})
      requireClassifier(*model, *domain.report(kName), text("domain ", domain.name()));
  };
  checkDomain(*inputs.source);
  for (const auto& target : inputs.target) checkDomain(*target);
}

class Measurement {
 public:
  Measurement(const Inputs& inputs, const Options& options, Job& job)
      : options_(options),
        job_(job),
        original_(inputs.original->to(job.device())),
        protected_(inputs.protectedModel->to(job.device())),
        domains_{inputs.source} {
    check(inputs, *original_, *protected_);
    domains_.insert(domains_.end(), inputs.target.begin(), inputs.target.end());
    for (const auto& domain : domains_) images_ += 2 * static_cast<double>(domain->report(kName)->size());
    job.plan(images_ * (1 + kBootstrapShare));
  }

  void run(Report& report) {
    std::vector<DomainDrop> measured;
    for (const auto& domain : domains_) measured.push_back(measure(*domain));
    std::vector<Bootstrapped> drops = bootstrap(measured);
    for (size_t i = 0; i < drops.size(); ++i) measured[i].drop = estimateOf(drops[i]);
    report.source = measured.front();

    const Bootstrapped source = drops.front();
    drops.erase(drops.begin());
    std::vector<Bootstrapped> ratios;
    for (size_t i = 0; i < drops.size(); ++i) {
      ratios.push_back(ratioOf(source, drops[i]));
      report.targets.push_back({measured[i + 1], estimateOf(ratios.back())});
    }
    const Bootstrapped mean = meanOf(drops);
    report.meanTargetDrop = estimateOf(mean);
    report.ratioOfMeans = estimateOf(ratioOf(source, mean));
    report.meanOfRatios = estimateOf(meanOf(ratios));
  }

 private:
  DomainDrop measure(const Domain& domain) {
    const ReportData data = domain.report(kName);
    const double images = 2 * static_cast<double>(data->size());
    const int64_t batches = answerBatches(*original_, *data) + answerBatches(*protected_, *data);
    const auto tick = stepsOf(text("both models on ", domain.name()), batches, images);
    DomainDrop result;
    const Value pairs =
        job_.memo("answers", [&] { return toValue(pairAnswers(*original_, *protected_, data, tick)); });
    fromValue(result.pairs, pairs, "answers");
    job_.finishUnits(images);
    result.domain = domain.name();
    result.original = result.pairs.first();
    result.protectedModel = result.pairs.second();
    return result;
  }

  // Each domain has a stream of its own: the source's interval is the same whatever the targets are.
  std::vector<Bootstrapped> bootstrap(const std::vector<DomainDrop>& measured) {
    const auto total = static_cast<int64_t>(measured.size()) * options_.resamples;
    const auto tick = stepsOf("bootstrap", total, images_ * kBootstrapShare);
    std::vector<Bootstrapped> drops;
    for (size_t i = 0; i < measured.size(); ++i) {
      const uint64_t seed = mixSeed(mixSeed(job_.seed(), "bootstrap"), static_cast<uint64_t>(i));
      drops.push_back(bootstrapDrop(measured[i].pairs.published(), options_.resamples, seed, tick));
    }
    job_.finishUnits(images_ * kBootstrapShare);
    return drops;
  }

  // Called before each step of a phase; says at once that it begins.
  std::function<void()> stepsOf(std::string phase, int64_t steps, double units) {
    return [this, phase = std::move(phase), steps, units, done = int64_t{0}]() mutable {
      job_.checkCancelled();
      const double share = static_cast<double>(done) / static_cast<double>(steps);
      job_.progress(phase, done, steps, units * share, /*samplesPerSecond=*/0, Value::Map{},
                    /*now=*/done == 0);
      ++done;
    };
  }

  const Options& options_;
  Job& job_;
  std::shared_ptr<Model> original_;
  std::shared_ptr<Model> protected_;
  std::vector<std::shared_ptr<Domain>> domains_;  // the source first
  double images_ = 0;
};

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  Measurement(inputs, options, job).run(report);
  return {};
}

}  // namespace

Method evaluateSourceTargetDrop() { return method(kName, run); }

}  // namespace espalier
