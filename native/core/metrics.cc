#include "core/metrics.h"

#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/data/stream.h"
#include "core/train/guard.h"
#include "core/train/loss.h"

namespace espalier {

namespace {

constexpr double kNormal95 = 1.959963984540054;
constexpr int64_t kCalibrationBins = 15;
constexpr int64_t kCpuBatch = 256;
constexpr int64_t kCudaBatch = 1024;
// Folding batch norm reorders sums; more than that is another function.
constexpr double kFrozenTolerance = 1e-4;
// As many samples show what folding changed; a plain graph takes several times as long for each.
constexpr int64_t kChecked = 4;
// A copy for fewer costs more than it saves.
constexpr int64_t kWorthFolding = 32;

// A frozen copy is used only where it agrees with the plain graph on the first samples.
class Scorer {
 public:
  Scorer(const Model& model, bool optimise, int64_t samples) : model_(model) {
    if (optimise && samples >= kWorthFolding) frozen_ = model.frozen();
  }

  at::Tensor logits(const at::Tensor& inputs) {
    if (!frozen_.faster) return model_.logits(inputs, Mode::kEval);
    if (!checked_) {
      checked_ = true;
      const at::Tensor few = inputs.narrow(0, 0, std::min(inputs.size(0), kChecked));
      const at::Tensor plain = model_.logits(few, Mode::kEval);
      const at::Tensor fast = frozen_.logits(few);
      const double scale = plain.abs().max().item<double>();
      frozen_.faster = (fast - plain).abs().max().item<double>() <= kFrozenTolerance * scale;
      return logits(inputs);
    }
    return frozen_.logits(inputs);
  }
  bool optimised() const { return frozen_.faster; }

 private:
  const Model& model_;
  Model::Frozen frozen_;
  bool checked_ = false;
};

int64_t defaultBatch(const Model& model) { return model.device().is_cuda() ? kCudaBatch : kCpuBatch; }

void requireAnswers(const Model& model, const Dataset& dataset, const at::Tensor& sound) {
  if (sound.all().item<bool>()) return;
  const at::Tensor bad = sound.logical_not().nonzero().reshape({-1}).cpu();
  const at::Tensor inputs = dataset.gather(bad.narrow(0, 0, 1), model.device()).inputs;
  throw NotFinite(model, inputs,
                  {bad.const_data_ptr<int64_t>(), bad.const_data_ptr<int64_t>() + bad.numel()});
}

ClassificationFigures evaluateDataset(const Model& model, const DatasetPtr& dataset,
                                      const EvaluationOptions& options, Job& job) {
  const torch::NoGradGuard noGrad;
  const int64_t outputs = requireClassifier(model, *dataset, "the domain");
  StreamOptions streamOptions;
  streamOptions.batchSize = std::min(dataset->size(), options.batchSize.value.value_or(defaultBatch(model)));
  streamOptions.shuffle = false;
  BatchStream stream(dataset, streamOptions, model.device());
  Scorer scorer(model, options.optimise, dataset->size());

  const auto onDevice = at::TensorOptions().device(model.device());
  at::Tensor confusion = torch::zeros({outputs * outputs}, onDevice.dtype(at::kLong));
  at::Tensor loss = torch::zeros({}, onDevice.dtype(at::kDouble));
  std::vector<at::Tensor> confidences;
  std::vector<at::Tensor> hits;
  std::vector<at::Tensor> sound;
  const auto start = std::chrono::steady_clock::now();
  int64_t done = 0;
  for (int64_t i = 0; i < stream.batchesPerEpoch(); ++i) {
    job.checkCancelled();
    const Batch batch = stream.at(0, i);
    const at::Tensor logits = scorer.logits(batch.inputs).to(at::kFloat);
    sound.push_back(areAnswers(logits));
    // What has no largest element has no index either; it is refused once all are seen.
    const auto [confidence, prediction] =
        at::softmax(logits, 1).masked_fill(sound.back().logical_not().unsqueeze(1), 0).max(1);
    confusion += torch::bincount(batch.labels * outputs + prediction, {}, outputs * outputs);
    loss += crossEntropy(logits, batch.labels, 0).to(at::kDouble).sum();
    confidences.push_back(confidence);
    hits.push_back(prediction == batch.labels);
    done += batch.labels.size(0);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    job.progress(options.phase, i + 1, stream.batchesPerEpoch(),
                 options.units * static_cast<double>(done) / static_cast<double>(dataset->size()),
                 static_cast<double>(done) / seconds, Value::Map{});
  }
  requireAnswers(model, *dataset, torch::cat(sound));
  job.finishUnits(options.units);

  ClassificationFigures figures;
  figures.samples = done;
  figures.batchSize = streamOptions.batchSize;
  figures.optimised = scorer.optimised();
  figures.loss = loss.item<double>() / static_cast<double>(done);
  figures.expectedCalibrationError = expectedCalibrationError(torch::cat(confidences), torch::cat(hits));
  const at::Tensor table = confusion.cpu();
  const int64_t* counts = table.const_data_ptr<int64_t>();
  int64_t correct = 0;
  for (int64_t row = 0; row < outputs; ++row) {
    figures.confusion.emplace_back(counts + row * outputs, counts + (row + 1) * outputs);
    ClassFigures perClass;
    perClass.label = row;
    for (const int64_t count : figures.confusion.back()) perClass.samples += count;
    const int64_t right = counts[row * outputs + row];
    if (perClass.samples > 0)
      perClass.accuracy = static_cast<double>(right) / static_cast<double>(perClass.samples);
    perClass.interval = wilsonInterval(right, perClass.samples);
    correct += right;
    figures.perClass.push_back(std::move(perClass));
  }
  figures.accuracy = static_cast<double>(correct) / static_cast<double>(done);
  figures.interval = wilsonInterval(correct, done);
  return figures;
}

// Which samples the model is right on: on none that it does not answer in numbers.
at::Tensor rightOn(const Model& model, const DatasetPtr& dataset, const std::function<void()>& tick) {
  const torch::NoGradGuard noGrad;
  StreamOptions options;
  options.batchSize = std::min(dataset->size(), defaultBatch(model));
  options.shuffle = false;
  BatchStream stream(dataset, options, model.device());
  Scorer scorer(model, /*optimise=*/true, dataset->size());
  std::vector<at::Tensor> right;
  for (int64_t i = 0; i < stream.batchesPerEpoch(); ++i) {
    tick();
    const Batch batch = stream.at(0, i);
    const at::Tensor logits = scorer.logits(batch.inputs);
    right.push_back(logits.argmax(1).eq(batch.labels).logical_and(areAnswers(logits)));
  }
  return torch::cat(right);
}

PublishedPairs pairsOf(const at::Tensor& byFirst, const at::Tensor& bySecond) {
  PairedAnswers pairs;
  pairs.both = byFirst.logical_and(bySecond).sum().item<int64_t>();
  pairs.onlyFirst = byFirst.sum().item<int64_t>() - pairs.both;
  pairs.onlySecond = bySecond.sum().item<int64_t>() - pairs.both;
  pairs.neither = byFirst.numel() - pairs.both - pairs.onlyFirst - pairs.onlySecond;
  return PublishedPairs(pairs);
}

Answers answersOn(const Model& model, const DatasetPtr& dataset, const std::function<void()>& tick) {
  return {rightOn(model, dataset, tick).sum().item<int64_t>(), dataset->size()};
}

}  // namespace

std::vector<double> wilsonInterval(int64_t hits, int64_t trials) {
  if (trials == 0) return {0, 1};
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(hits) / n;
  const double z2 = kNormal95 * kNormal95;
  const double center = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  // At its ends the interval ends exactly there, whatever rounding makes of it.
  return {hits == 0 ? 0.0 : std::max(0.0, center - half),
          hits == trials ? 1.0 : std::min(1.0, center + half)};
}

double expectedCalibrationError(const at::Tensor& confidence, const at::Tensor& correct) {
  const at::Tensor sure = confidence.to(at::kDouble).cpu();
  const at::Tensor right = correct.to(at::kDouble).cpu();
  // A bin is (low, high]: a confidence of exactly one belongs to the last.
  const at::Tensor bin = (sure * kCalibrationBins).ceil().sub(1).clamp(0, kCalibrationBins - 1).to(at::kLong);
  // Per bin, |sum of confidence - sum of hits| / n is its weighted gap.
  const at::Tensor gap =
      torch::bincount(bin, sure, kCalibrationBins) - torch::bincount(bin, right, kCalibrationBins);
  return gap.abs().sum().item<double>() / static_cast<double>(sure.numel());
}

int64_t requireClassifier(const Model& model, const Dataset& dataset, std::string_view what) {
  const torch::NoGradGuard noGrad;
  const Batch batch = dataset.gather(torch::zeros({1}, at::kLong), model.device());
  const at::Tensor logits = model.logits(batch.inputs, Mode::kEval);
  if (logits.dim() != 2 || logits.size(1) < dataset.classes()) {
    fail(ErrorCode::kDataInvalid, "expected ", what, " to have at most the ", logits.size(-1),
         " classes that the model tells apart, found ", dataset.classes(),
         ": use another domain, or a model with as many outputs");
  }
  return logits.size(1);
}

ClassificationFigures evaluateClassifier(const Model& model, const SelectData& data,
                                         const EvaluationOptions& options, Job& job) {
  return evaluateDataset(model, data.dataset(), options, job);
}

ClassificationFigures evaluateClassifier(const Model& model, const FitData& data,
                                         const EvaluationOptions& options, Job& job) {
  return evaluateDataset(model, data.dataset(), options, job);
}

PublishedFigures evaluateClassifier(const Model& model, const ReportData& data,
                                    const EvaluationOptions& options, Job& job) {
  return PublishedFigures(evaluateDataset(model, data.dataset(), options, job));
}

ClassificationFigures evaluateBetween(const Model& model, const SelectData& data, Job& job) {
  EvaluationOptions options;
  options.units = 0;
  options.phase = "select";
  return evaluateClassifier(model, data, options, job);
}

Answers countAnswers(const Model& model, const SelectData& data, const std::function<void()>& tick) {
  return answersOn(model, data.dataset(), tick);
}

PublishedAnswers countAnswers(const Model& model, const ReportData& data, const std::function<void()>& tick) {
  return PublishedAnswers(answersOn(model, data.dataset(), tick));
}

PublishedPairs pairAnswers(const Model& first, const Model& second, const ReportData& data,
                           const std::function<void()>& tick) {
  return pairsOf(rightOn(first, data.dataset(), tick), rightOn(second, data.dataset(), tick));
}

PublishedPairs pairAnswers(const Model& model, const ReportData& first, const ReportData& second,
                           const std::function<void()>& tick) {
  return pairsOf(rightOn(model, first.dataset(), tick), rightOn(model, second.dataset(), tick));
}

int64_t answerBatches(const Model& model, const Dataset& dataset) {
  const int64_t batch = defaultBatch(model);
  return (dataset.size() + batch - 1) / batch;
}

}  // namespace espalier
