#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <torch/types.h>

#include "core/data/domain.h"
#include "core/fields.h"
#include "core/job.h"
#include "core/model.h"

namespace espalier {

// The Wilson score interval of `hits` of `trials` at 95 % (Wilson 1927); {0, 1} without trials.
std::vector<double> wilsonInterval(int64_t hits, int64_t trials);

// Expected calibration error over 15 equal-width bins of confidence (Guo et al. 2017, eq. 3).
double expectedCalibrationError(const at::Tensor& confidence, const at::Tensor& correct);

struct ClassFigures {
  int64_t label = 0;
  std::optional<double> accuracy;  // null where the class has no samples
  std::vector<double> interval;
  int64_t samples = 0;
  template <class V>
  void fields(V&& visit) {
    visit("class", label);
    visit("accuracy", accuracy);
    visit("interval", interval);
    visit("samples", samples);
  }
};

struct ClassificationFigures {
  double accuracy = 0;           // fraction in [0, 1]
  std::vector<double> interval;  // Wilson 95 %
  double loss = 0;               // mean cross-entropy, nats
  int64_t samples = 0;
  std::vector<ClassFigures> perClass;
  std::vector<std::vector<int64_t>> confusion;  // [true class][predicted class]
  double expectedCalibrationError = 0;
  bool optimised = false;  // whether a frozen copy with folded batch norm computed it
  int64_t batchSize = 0;
  template <class V>
  void fields(V&& visit) {
    visit("accuracy", accuracy);
    visit("interval", interval);
    visit("loss", loss);
    visit("samples", samples);
    visit("perClass", perClass);
    visit("confusion", confusion);
    visit("expectedCalibrationError", expectedCalibrationError);
    visit("optimised", optimised);
    visit("batchSize", batchSize);
  }
};

// Figures on report data. They can be written into a report, and not be read by code that decides.
class PublishedFigures {
 public:
  PublishedFigures() = default;
  explicit PublishedFigures(ClassificationFigures figures) : figures_(std::move(figures)) {}
  template <class V>
  void fields(V&& visit) {
    figures_.fields(visit);
  }

 private:
  ClassificationFigures figures_;
};

// The right answers on some data.
struct Answers {
  int64_t right = 0;
  int64_t samples = 0;
  double accuracy() const {
    return samples > 0 ? static_cast<double>(right) / static_cast<double>(samples) : 0;
  }
  template <class V>
  void fields(V&& visit) {
    visit("right", right);
    visit("samples", samples);
  }
};

// The same on report data. `published` is for arithmetic among published figures (means, areas): no decision
// may hang on it.
class PublishedAnswers {
 public:
  PublishedAnswers() = default;
  explicit PublishedAnswers(const Answers& answers)
      : accuracy_(answers.accuracy()),
        interval_(wilsonInterval(answers.right, answers.samples)),
        right_(answers.right),
        samples_(answers.samples) {}
  double published() const { return accuracy_; }
  template <class V>
  void fields(V&& visit) {
    visit("accuracy", accuracy_);
    visit("interval", interval_);
    visit("right", right_);
    visit("samples", samples_);
  }

 private:
  double accuracy_ = 0;
  std::vector<double> interval_;  // Wilson 95 %
  int64_t right_ = 0;
  int64_t samples_ = 0;
};

// The answers of two models to the same samples, or of one to two views of them.
struct PairedAnswers {
  int64_t both = 0;  // were right
  int64_t onlyFirst = 0;
  int64_t onlySecond = 0;
  int64_t neither = 0;
  int64_t samples() const { return both + onlyFirst + onlySecond + neither; }
  Answers first() const { return {both + onlyFirst, samples()}; }
  Answers second() const { return {both + onlySecond, samples()}; }
  template <class V>
  void fields(V&& visit) {
    visit("both", both);
    visit("onlyFirst", onlyFirst);
    visit("onlySecond", onlySecond);
    visit("neither", neither);
  }
};

// The same on report data. `published` is for arithmetic among published figures, as above.
class PublishedPairs {
 public:
  PublishedPairs() = default;
  explicit PublishedPairs(const PairedAnswers& pairs) : pairs_(pairs) {}
  const PairedAnswers& published() const { return pairs_; }
  PublishedAnswers first() const { return PublishedAnswers(pairs_.first()); }
  PublishedAnswers second() const { return PublishedAnswers(pairs_.second()); }
  template <class V>
  void fields(V&& visit) {
    pairs_.fields(visit);
  }

 private:
  PairedAnswers pairs_;
};

struct EvaluationOptions {
  LiteralOr<"auto", int64_t> batchSize;  // 'auto': by the device
  // Whether a frozen copy may be used; its logits are checked against the plain ones on the first samples.
  bool optimise = true;
  // Set by the method that evaluates, no options of its caller.
  double units = 1;  // of the job's planned work
  std::string phase = "evaluate";
  template <class V>
  void fields(V&& visit) {
    visit("batchSize", batchSize, {.min = 1, .max = 1048576});
    visit("optimise", optimise);
  }
};

// Refuses data that the model cannot classify: ERR_DATA_INVALID when it has more classes than the model has
// outputs, ERR_MODEL_RUN when its samples do not pass. Returns the number of outputs.
int64_t requireClassifier(const Model& model, const Dataset& dataset, std::string_view what);

ClassificationFigures evaluateClassifier(const Model& model, const SelectData& data,
                                         const EvaluationOptions& options, Job& job);
ClassificationFigures evaluateClassifier(const Model& model, const FitData& data,
                                         const EvaluationOptions& options, Job& job);
PublishedFigures evaluateClassifier(const Model& model, const ReportData& data,
                                    const EvaluationOptions& options, Job& job);
// For a method that decides on the way: as phase "select", no share of the job's planned work.
ClassificationFigures evaluateBetween(const Model& model, const SelectData& data, Job& job);

// Counts right answers and nothing else, for evaluations that run side by side, without a job: `tick` is
// called before each batch, and may throw.
Answers countAnswers(const Model& model, const SelectData& data, const std::function<void()>& tick);
PublishedAnswers countAnswers(const Model& model, const ReportData& data, const std::function<void()>& tick);
// The same of two models sample by sample, one model after the other.
PublishedPairs pairAnswers(const Model& first, const Model& second, const ReportData& data,
                           const std::function<void()>& tick);
// The same of one model on two views of the same samples.
PublishedPairs pairAnswers(const Model& model, const ReportData& first, const ReportData& second,
                           const std::function<void()>& tick);
// How many batches a model's answers take.
int64_t answerBatches(const Model& model, const Dataset& dataset);

}  // namespace espalier
