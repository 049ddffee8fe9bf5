#include "methods/evaluate/sample_wise_learning_curve.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include <ATen/Parallel.h>
#include <torch/types.h>

#include "core/attack/curve.h"
#include "core/attack/transfer.h"
#include "core/inputs.h"
#include "core/mask.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/side_by_side.h"

// The area between two sample-wise learning curves (SLC-AUC; Ding et al. 2024, arXiv 2410.08015): accuracy
// after fine-tuning the model on more and more samples of a domain, less that of a baseline under the same
// protocol, over the logarithm of the samples. Positive: the model helps whoever fine-tunes it there.
//
// Every point of both curves has the same number of steps and the same learning rates; the rate is chosen on
// select data, and what is published is the accuracy on report data after the last step.
namespace espalier {

namespace {

enum class Scratch { kScratch, kUnderMask };

}  // namespace

template <>
struct EnumNames<Scratch> {
  static constexpr EnumName<Scratch> kNames[] = {{Scratch::kScratch, "scratch"},
                                                 {Scratch::kUnderMask, "scratch-under-mask"}};
};

namespace {

constexpr const char* kName = "evaluate.sampleWiseLearningCurve";
constexpr int64_t kDefaultCounts[] = {15, 60, 250, 1000, 4000};

struct Inputs : ModelOnDomain {
  std::variant<Scratch, std::shared_ptr<Model>> baseline = Scratch::kScratch;
  template <class V>
  void fields(V&& visit) {
    ModelOnDomain::fields(visit);
    visit("baseline", baseline);
  }
};

struct Options {
  std::optional<std::vector<int64_t>> counts;
  std::optional<std::vector<double>> fractions;
  int64_t seeds = 3;
  TransferOptions transfer;
  template <class V>
  void fields(V&& visit) {
    visit("counts", counts, {.min = 1});
    visit("fractions", fractions, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("seeds", seeds, {.min = 1, .max = 1000});
    transfer.fields(visit);
  }
};

// One training: a point of a curve, once.
struct Training {
  double learningRate = 0;
  std::optional<double> selectAccuracy;  // where the rate was chosen
  PublishedAnswers report;
  bool diverged = false;
  template <class V>
  void fields(V&& visit) {
    visit("learningRate", learningRate);
    visit("selectAccuracy", selectAccuracy);
    visit("report", report);
    visit("diverged", diverged);
  }
};

struct Point {
  int64_t samples = 0;
  Spread accuracy;
  std::vector<double> learningRates;  // a seed each
  template <class V>
  void fields(V&& visit) {
    visit("samples", samples);
    visit("accuracy", accuracy);
    visit("learningRates", learningRates);
  }
};

struct Area {
  Spread ln;
  Spread log10;
  Spread normalized;
  template <class V>
  void fields(V&& visit) {
    visit("ln", ln);
    visit("log10", log10);
    visit("normalized", normalized);
  }
};

struct Curves {
  std::vector<Point> model;
  std::vector<Point> baseline;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("baseline", baseline);
  }
};

struct Report {
  std::string baseline;  // 'scratch', 'scratch-under-mask' or 'model'
  Area area;
  Curves curves;
  int64_t reportSamples = 0;
  int64_t trainings = 0;
  int64_t steps = 0;   // of all trainings
  int64_t images = 0;  // that they saw
  template <class V>
  void fields(V&& visit) {
    visit("baseline", baseline);
    visit("area", area);
    visit("curves", curves);
    visit("reportSamples", reportSamples);
    visit("trainings", trainings);
    visit("steps", steps);
    visit("images", images);
  }
};

struct Output {
  template <class V>
  void fields(V&&) {}
};

std::vector<int64_t> gridOf(const Options& options, int64_t available, const std::string& domain) {
  if (options.counts && options.fractions)
    fail(ErrorCode::kInvalidArgType, "expected counts or fractions, received both");
  std::vector<int64_t> counts;
  if (options.fractions) {
    for (const double fraction : *options.fractions) {
      counts.push_back(static_cast<int64_t>(std::floor(fraction * static_cast<double>(available))));
      if (counts.back() > 0) continue;
      fail(ErrorCode::kOutOfRange, "expected fractions of at least 1 / ", available,
           " (one sample of the fit data of domain ", domain, "), received ", fraction);
    }
  } else if (options.counts) {
    counts = *options.counts;
  } else {
    for (const int64_t count : kDefaultCounts) counts.push_back(std::min(count, available));
  }
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  if (counts.size() < 2) {
    fail(ErrorCode::kOutOfRange, "expected at least two different numbers of samples for ",
         options.fractions ? "fractions" : "counts", ", received ", counts.size(), ": a curve has two ends");
  }
  if (counts.back() > available) {
    fail(ErrorCode::kOutOfRange, "expected counts of at most ", available,
         " (the samples of the fit data of domain ", domain, "), received ", counts.back());
  }
  return counts;
}

// One sample's multiply-accumulates.
double costOf(const Model& model, const Dataset& dataset) {
  const Batch batch = dataset.gather(torch::zeros({1}, at::kLong), model.device());
  double cost = 0;
  for (const LayerCost& layer : model.graph(Mode::kEval).cost({model.preprocess(batch.inputs)}))
    cost += static_cast<double>(layer.multiplyAccumulates);
  return cost;
}

class Protocol {
 public:
  Protocol(const Inputs& inputs, const Options& options, Job& job)
      : options_(options),
        fit_(inputs.domain->fit(kName)),
        report_(inputs.domain->report(kName)),
        counts_(gridOf(options, fit_->size(), inputs.domain->name())),
        job_(job),
        model_(inputs.model->to(job.device())) {
    options.transfer.check();
    inputs.model->requireTrainable(kName);
    headLayer(*model_);
    requireClasses(*model_, *inputs.domain, *report_, "the model");
    if (options.transfer.learningRates.size() > 1) select_ = inputs.domain->select(kName);
    if (const auto* other = std::get_if<std::shared_ptr<Model>>(&inputs.baseline)) {
      (*other)->requireTrainable(kName);
      baseline_ = (*other)->to(job.device());
      requireClasses(*baseline_, *inputs.domain, *report_, "the baseline");
    } else {
      scratch_ = std::get<Scratch>(inputs.baseline);
      if (scratch_ == Scratch::kUnderMask) mask_ = Mask::ofNonZeros(*model_);
    }
    for (int64_t seed = 0; seed < options.seeds; ++seed)
      samples_.push_back(nestedSamples(fit_, counts_, mixSeed(seedOf(seed), "samples")));
  }

  std::vector<Training> run() {
    SideBySide plan;
    plan.key = "points";
    plan.tasks = 2 * options_.seeds * static_cast<int64_t>(counts_.size());
    const auto rates = static_cast<int64_t>(options_.transfer.learningRates.size());
    plan.ticksPerTask = rates * options_.transfer.steps + answerBatches(*model_, *report_);
    if (select_) plan.ticksPerTask += rates * answerBatches(*model_, **select_);
    plan.samplesPerTick = options_.transfer.batchSize;
    const int threads = at::get_num_threads();
    if (runsSideBySide()) {
      plan.workers = threads;
    } else {
      plan.threadsPerWorker = threads;
    }
    std::vector<Training> trainings;
    for (const Value& value : computeSideBySide(
             job_, plan, [this](int64_t task, const auto& tick) { return point(task, tick); })) {
      fromValue(trainings.emplace_back(), value, "points");
      if (trainings.back().diverged) ++diverged_;
    }
    if (diverged_ > 0) {
      job_.warn(text(diverged_, " of ", plan.tasks,
                     " points diverged at their best learning rate: give lower ones in learningRates"));
    }
    return trainings;
  }

  // The order of the trainings: by seed, then by count, the model before the baseline.
  size_t indexOf(int64_t seed, size_t count, bool isBaseline) const {
    return (static_cast<size_t>(seed) * counts_.size() + count) * 2 + (isBaseline ? 1 : 0);
  }
  const std::vector<int64_t>& counts() const { return counts_; }
  int64_t reportSamples() const { return report_->size(); }
  std::string baselineName() const { return baseline_ ? "model" : std::string(enumName(scratch_)); }
  int64_t imagesOf(size_t count) const {
    return options_.transfer.steps * std::min(options_.transfer.batchSize, counts_[count]);
  }

 private:
  uint64_t seedOf(int64_t repetition) const {
    return mixSeed(mixSeed(job_.seed(), "repetition"), static_cast<uint64_t>(repetition));
  }

  // A GPU is one worker; on cores a small network gains less from a second thread than two gain side by side.
  bool runsSideBySide() const {
    constexpr double kLargeStep = 1e9;  // multiply-accumulates of a step, forward
    return job_.device().is_cpu() &&
           costOf(*model_, *fit_) * static_cast<double>(options_.transfer.batchSize) < kLargeStep;
  }

  Value point(int64_t task, const std::function<void()>& tick) const {
    const bool isBaseline = task % 2 == 1;
    const auto count = static_cast<size_t>(task / 2) % counts_.size();
    const int64_t repetition = task / 2 / static_cast<int64_t>(counts_.size());
    const FitData& samples = samples_[static_cast<size_t>(repetition)][count];
    const uint64_t seed = seedOf(repetition);
    Training best;
    std::shared_ptr<Model> chosen;
    for (const double rate : options_.transfer.learningRates) {
      TransferOptions protocol = options_.transfer;
      const std::shared_ptr<Model> model = start(isBaseline, seed, protocol);
      const bool finite =
          trainTransfer(*model, samples, protocol, rate, mixSeed(seed, static_cast<uint64_t>(count)), tick);
      std::optional<double> accuracy;
      if (select_) accuracy = countAnswers(*model, *select_, tick).accuracy();
      if (chosen && !(accuracy > best.selectAccuracy)) continue;
      chosen = model;
      best.learningRate = rate;
      best.selectAccuracy = accuracy;
      best.diverged = !finite;
    }
    best.report = countAnswers(*chosen, report_, tick);
    return toValue(best);
  }

  // Graphs are analysed one at a time: they read the code that all copies share.
  std::shared_ptr<Model> start(bool isBaseline, uint64_t seed, TransferOptions& protocol) const {
    const std::lock_guard lock(starting_);
    std::shared_ptr<Model> model;
    if (!isBaseline || baseline_) {
      model = startTransfer(isBaseline ? *baseline_ : *model_, protocol, seed);
    } else {
      // From nothing there is no head to keep and no layer to leave out.
      model = model_->reinitialize(mixSeed(seed, "scratch"));
      protocol.layers = TransferLayers::kAll;
      protocol.maskHeld = scratch_ == Scratch::kUnderMask;
      if (mask_) mask_->apply(*model);
      for (const ParameterInfo& parameter : model->parameters()) {
        if (parameter.tensor.is_floating_point()) parameter.tensor.set_requires_grad(true);
      }
    }
    model->graph(Mode::kTrain);
    model->graph(Mode::kEval);
    return model;
  }

  const Options& options_;
  FitData fit_;
  ReportData report_;
  std::optional<SelectData> select_;
  std::vector<int64_t> counts_;
  Job& job_;
  std::shared_ptr<Model> model_;
  std::shared_ptr<Model> baseline_;  // null: from scratch
  Scratch scratch_ = Scratch::kScratch;
  std::shared_ptr<Mask> mask_;
  std::vector<std::vector<FitData>> samples_;  // [repetition][count]
  int64_t diverged_ = 0;
  mutable std::mutex starting_;
};

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  Protocol protocol(inputs, options, job);
  report.baseline = protocol.baselineName();
  report.reportSamples = protocol.reportSamples();
  const std::vector<Training> trainings = protocol.run();

  const auto curveOf = [&](int64_t seed, bool isBaseline) {
    std::vector<CurvePoint> curve;
    for (size_t count = 0; count < protocol.counts().size(); ++count) {
      curve.push_back({static_cast<double>(protocol.counts()[count]),
                       trainings[protocol.indexOf(seed, count, isBaseline)].report.published()});
    }
    return curve;
  };
  std::vector<double> ln;
  std::vector<double> log10;
  std::vector<double> normalized;
  for (int64_t seed = 0; seed < options.seeds; ++seed) {
    const CurveArea area = compareCurves(curveOf(seed, false), curveOf(seed, true));
    ln.push_back(area.ln);
    log10.push_back(area.log10);
    normalized.push_back(area.normalized);
  }
  report.area = {spreadOf(ln), spreadOf(log10), spreadOf(normalized)};

  const auto rates = static_cast<int64_t>(options.transfer.learningRates.size());
  for (const bool isBaseline : {false, true}) {
    for (size_t count = 0; count < protocol.counts().size(); ++count) {
      Point point;
      point.samples = protocol.counts()[count];
      std::vector<double> accuracies;
      for (int64_t seed = 0; seed < options.seeds; ++seed) {
        const Training& training = trainings[protocol.indexOf(seed, count, isBaseline)];
        accuracies.push_back(training.report.published());
        point.learningRates.push_back(training.learningRate);
      }
      point.accuracy = spreadOf(accuracies);
      report.images += options.seeds * rates * protocol.imagesOf(count);
      (isBaseline ? report.curves.baseline : report.curves.model).push_back(std::move(point));
    }
  }
  report.trainings = static_cast<int64_t>(trainings.size()) * rates;
  report.steps = report.trainings * options.transfer.steps;
  return {};
}

}  // namespace

Method evaluateSampleWiseLearningCurve() { return method(kName, run); }

}  // namespace espalier
