#include "methods/train/supervised.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "core/inputs.h"
#include "core/mask.h"
#include "core/metrics.h"
#include "core/train/collected.h"
#include "core/train/loss.h"
#include "core/train/supervised_options.h"
#include "core/train/trainable.h"
#include "core/train/trainer.h"

// Supervised training of a classifier: cross-entropy, optionally with a teacher's soft targets beside the
// labels, under the mask that the model's zeros are.
namespace espalier {

namespace {

struct Inputs : ModelOnDomain {
  std::optional<std::shared_ptr<Model>> teacher;
  template <class V>
  void fields(V&& visit) {
    ModelOnDomain::fields(visit);
    visit("teacher", teacher);
  }
};

struct EpochFigures {
  int64_t epoch = 0;
  double loss = 0;      // mean over the epoch's batches, as trained (smoothed, distilled)
  double accuracy = 0;  // on the epoch's batches, while training
  double learningRate = 0;
  std::optional<double> selectAccuracy;
  std::optional<double> selectLoss;
  template <class V>
  void fields(V&& visit) {
    visit("epoch", epoch);
    visit("loss", loss);
    visit("accuracy", accuracy);
    visit("learningRate", learningRate);
    visit("selectAccuracy", selectAccuracy);
    visit("selectLoss", selectLoss);
  }
};

struct BestFigures {
  int64_t epoch = 0;
  double selectAccuracy = 0;
  template <class V>
  void fields(V&& visit) {
    visit("epoch", epoch);
    visit("selectAccuracy", selectAccuracy);
  }
};

struct Report {
  std::vector<EpochFigures> epochs;
  int64_t steps = 0;
  double finalLoss = 0;
  std::optional<BestFigures> best;
  double sparsity = 0;
  template <class V>
  void fields(V&& visit) {
    visit("epochs", epochs);
    visit("steps", steps);
    visit("finalLoss", finalLoss);
    visit("best", best);
    visit("sparsity", sparsity);
  }
};

struct Output {
  std::shared_ptr<Model> model;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
  }
};

struct State {
  // Given, the same on resume.
  const SupervisedOptions* options = nullptr;
  std::shared_ptr<Model> teacher;
  std::optional<SelectData> select;

  std::shared_ptr<Model> model;
  Optimizer optimizer;
  at::Tensor lossSum;  // of the running epoch, on the device
  at::Tensor hitSum;
  int64_t samples = 0;
  int64_t steps = 0;
  double learningRate = 0;
  std::vector<EpochFigures> epochs;
  std::optional<BestFigures> best;
  std::vector<at::Tensor> bestWeights;  // parameters, then buffers
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("optimizer", optimizer);
    visit("lossSum", lossSum);
    visit("hitSum", hitSum);
    visit("samples", samples);
    visit("steps", steps);
    visit("learningRate", learningRate);
    visit("epochs", epochs, kCollected);
    visit("best", best, kCollected);
    visit("bestWeights", bestWeights, kCollected);
  }
};

void step(State& state, const Batches& batches, StepContext& context) {
  const Batch& batch = batches[0];
  const SupervisedOptions& options = *state.options;
  const at::Tensor logits = context.forward(*state.model, batch.inputs);
  at::Tensor teacherLogits;
  if (state.teacher) {
    const torch::NoGradGuard noGrad;
    teacherLogits = context.forward(*state.teacher, batch.inputs, Mode::kEval);
  }
  const at::Tensor losses = options.loss.perSample(logits, batch.labels, teacherLogits);
  const at::Tensor loss = losses.mean();
  context.backward(loss, state.optimizer.parameters(), losses);
  state.learningRate = options.optimizer.learningRate * options.schedule.at(context.step(), context.steps());
  context.optimise(state.optimizer, state.learningRate);

  const torch::NoGradGuard noGrad;
  const at::Tensor hits = logits.argmax(1).eq(batch.labels).sum();
  const int64_t size = batch.labels.size(0);
  state.lossSum += loss.detach() * size;
  state.hitSum += hits;
  state.samples += size;
  ++state.steps;
  context.log("loss", loss);
  context.log("accuracy", hits.to(at::kDouble) / size);
}

void endEpoch(State& state, int64_t epoch, Job& job) {
  EpochFigures figures;
  figures.epoch = epoch + 1;
  figures.loss = state.lossSum.item<double>() / static_cast<double>(state.samples);
  figures.accuracy = state.hitSum.item<double>() / static_cast<double>(state.samples);
  figures.learningRate = state.learningRate;
  if (state.select) {
    const ClassificationFigures selected = evaluateBetween(*state.model, *state.select, job);
    figures.selectAccuracy = selected.accuracy;
    figures.selectLoss = selected.loss;
    if (!state.best || selected.accuracy > state.best->selectAccuracy) {
      state.best = BestFigures{epoch + 1, selected.accuracy};
      if (state.options->restoreBest) {
        state.bestWeights.clear();
        for (const at::Tensor& weight : state.model->weights()) state.bestWeights.push_back(weight.clone());
      }
    }
  }
  state.epochs.push_back(figures);
  state.lossSum.zero_();
  state.hitSum.zero_();
  state.samples = 0;
}

Optimizer makeOptimizer(const Model& model, const SupervisedOptions& options) {
  std::shared_ptr<Mask> zeros;
  if (keepsZeros(model, options.keepZeros)) zeros = Mask::ofNonZeros(model);
  Trainable trainable = trainableOf(model, zeros.get());
  return {options.optimizer, std::move(trainable.parameters), std::move(trainable.masks)};
}

Output run(const Inputs& inputs, const SupervisedOptions& options, Report& report, Job& job) {
  const FitData fit = inputs.domain->fit("train.supervised");
  inputs.model->requireTrainable("train.supervised");
  options.loss.check(inputs.teacher.has_value());
  State state;
  state.options = &options;
  state.model = inputs.model->clone()->to(job.device());
  requireClassifier(*state.model, *fit, text("domain ", inputs.domain->name()));
  if (inputs.teacher) {
    state.teacher = (*inputs.teacher)->to(job.device());
    requireClassifier(*state.teacher, *fit, text("domain ", inputs.domain->name(), " (seen by the teacher)"));
  }
  if (inputs.domain->has(Role::kSelect)) state.select = inputs.domain->select("train.supervised");
  if (options.restoreBest && !state.select) inputs.domain->select("train.supervised with restoreBest");
  state.optimizer = makeOptimizer(*state.model, options);
  state.lossSum = torch::zeros({}, at::TensorOptions().dtype(at::kDouble).device(job.device()));
  state.hitSum = torch::zeros({}, at::TensorOptions().dtype(at::kLong).device(job.device()));

  Phase<State> phase;
  phase.name = "train";
  StreamOptions stream;
  stream.batchSize = options.batchSize;
  stream.augmentation = options.augmentation;
  phase.streams.emplace_back(fit, stream);
  phase.epochs = options.epochs;
  phase.step = step;
  phase.endEpoch = endEpoch;
  TrainOptions training;
  training.precision = options.precision;
  train(job, state, {phase}, training);

  if (options.restoreBest) putBack(state.bestWeights, *state.model);
  report.epochs = state.epochs;
  report.steps = state.steps;
  report.finalLoss = lastOf(state.epochs, "epochs").loss;
  report.best = state.best;
  report.sparsity = weightSparsity(*state.model);
  return {state.model};
}

}  // namespace

Method trainSupervised() { return method("train.supervised", run); }

}  // namespace espalier
