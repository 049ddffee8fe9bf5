#include "methods/train/contrastive.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "core/data/augment.h"
#include "core/initialize.h"
#include "core/inputs.h"
#include "core/mask.h"
#include "core/objectives/nt_xent.h"
#include "core/random.h"
#include "core/train/collected.h"
#include "core/train/optimizer.h"
#include "core/train/trainable.h"
#include "core/train/trainer.h"

// SimCLR (Chen et al. 2020): training of an encoder without labels. Two random changes of an image must land
// close together and away from those of the batch's other images, behind a projection that is thrown away.
//
// The encoder is what stands before the model's classifier, its last layer with weights; the projection g
// reads what the classifier read: z = W2 relu(W1 h + b1) + b2.
namespace espalier {

namespace {

constexpr const char* kName = "train.contrastive";

struct ProjectionOptions {
  LiteralOr<"auto", int64_t> hidden;  // 'auto': as wide as the features
  int64_t width = 128;
  template <class V>
  void fields(V&& visit) {
    visit("hidden", hidden, {.min = 1, .max = 65536});
    visit("width", width, {.min = 1, .max = 65536});
  }
};

struct Options {
  int64_t epochs = 100;
  int64_t batchSize = 256;
  OptimizerOptions optimizer = {
      .kind = OptimizerKind::kAdam, .learningRate = 1e-3, .weightDecay = 1e-6, .clipNorm = {}};
  Schedule schedule = {.warmup = 0.1};
  double temperature = 0.5;
  ProjectionOptions projection;
  Augmentation augmentation = {.flip = true, .jitter = 0.4, .crop = 0.2};
  Precision precision = Precision::kFloat32;
  LiteralOr<"auto", bool> keepZeros;
  template <class V>
  void fields(V&& visit) {
    visit("epochs", epochs, {.min = 1, .max = 100000});
    visit("batchSize", batchSize, {.min = 2, .max = 1048576});
    visit("optimizer", optimizer);
    visit("schedule", schedule);
    visit("temperature", temperature, {.min = 0, .exclusiveMin = true});
    visit("projection", projection);
    visit("augmentation", augmentation);
    visit("precision", precision);
    visit("keepZeros", keepZeros);
  }
};

struct EpochFigures {
  int64_t epoch = 0;
  double loss = 0;
  double matched = 0;  // share of the views that are nearest to their other view
  double learningRate = 0;
  template <class V>
  void fields(V&& visit) {
    visit("epoch", epoch);
    visit("loss", loss);
    visit("matched", matched);
    visit("learningRate", learningRate);
  }
};

struct Report {
  std::vector<EpochFigures> epochs;
  int64_t steps = 0;
  double finalLoss = 0;
  int64_t negatives = 0;   // others that a view has to tell its partner from
  std::string classifier;  // path of the layer that was drawn anew
  int64_t features = 0;    // how many it reads
  double sparsity = 0;
  template <class V>
  void fields(V&& visit) {
    visit("epochs", epochs);
    visit("steps", steps);
    visit("finalLoss", finalLoss);
    visit("negatives", negatives);
    visit("classifier", classifier);
    visit("features", features);
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

// A perceptron of one hidden layer.
struct Projection {
  at::Tensor inWeight, inBias, outWeight, outBias;

  Projection() = default;
  Projection(int64_t features, int64_t hidden, int64_t width, uint64_t seed, const at::TensorOptions& like)
      : inWeight(at::empty({hidden, features}, like)),
        inBias(at::empty({hidden}, like)),
        outWeight(at::empty({width, hidden}, like)),
        outBias(at::empty({width}, like)) {
    initializeLayer(inWeight, inBias, seed, "projection.in");
    initializeLayer(outWeight, outBias, seed, "projection.out");
    for (at::Tensor& parameter : parameters()) parameter.requires_grad_();
  }
  at::Tensor operator()(const at::Tensor& features) const {
    return at::linear(at::linear(features, inWeight, inBias).relu(), outWeight, outBias);
  }
  std::vector<at::Tensor> parameters() const { return {inWeight, inBias, outWeight, outBias}; }
  template <class V>
  void fields(V&& visit) {
    visit("inWeight", inWeight);
    visit("inBias", inBias);
    visit("outWeight", outWeight);
    visit("outBias", outBias);
  }
};

struct State {
  // Given, the same on resume.
  const Options* options = nullptr;
  uint64_t seed = 0;
  size_t classifier = 0;  // which layer

  std::shared_ptr<Model> model;
  Projection projection;
  Optimizer optimizer;
  at::Tensor lossSum;  // of the running epoch, on the device
  at::Tensor matchedSum;
  int64_t samples = 0;
  int64_t steps = 0;
  double learningRate = 0;
  std::vector<EpochFigures> epochs;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("projection", projection);
    visit("optimizer", optimizer);
    visit("lossSum", lossSum);
    visit("matchedSum", matchedSum);
    visit("samples", samples);
    visit("steps", steps);
    visit("learningRate", learningRate);
    visit("epochs", epochs, kCollected);
  }
};

// The last layer that is no norm. Where it is called more than once the last call counts.
size_t classifierOf(const std::vector<Layer>& layers) {
  for (size_t i = layers.size(); i > 0; --i) {
    if (layers[i - 1].prunable) return i - 1;
  }
  fail(ErrorCode::kModelUnsupported, kName,
       " trains what stands before a model's last convolution or linear layer: expected one that its code "
       "shows, found none");
}

// What the classifier reads, one row a sample: a map of features counts as its mean over the pixels, as the
// average pooling behind it would have it.
at::Tensor featuresOf(const Model& model, size_t classifier, const at::Tensor& inputs) {
  Taps taps;
  model.logits(inputs, Mode::kTrain, {{classifier, TapPoint::Side::kInput}}, taps);
  const at::Tensor& features = taps[0].back();
  return features.dim() > 2 ? features.flatten(2).mean(2) : features;
}

void step(State& state, const Batches& batches, StepContext& context) {
  const Batch& batch = batches[0];
  const Options& options = *state.options;
  const auto view = [&](std::string_view name) {
    return augment(batch.inputs, options.augmentation, mixSeed(state.seed, name), context.epoch(),
                   batch.indices);
  };
  // In one batch, so that the statistics of batch norms tell the views of no two samples apart.
  const at::Tensor views = at::cat({view("first view"), view("second view")});
  const at::Tensor embedded = context.forward(*state.model, views, Mode::kTrain, [&] {
    return state.projection(featuresOf(*state.model, state.classifier, views));
  });
  const int64_t n = batch.inputs.size(0);
  const NtXent contrast = ntXent(embedded.slice(0, 0, n), embedded.slice(0, n), options.temperature);
  const at::Tensor loss = contrast.losses.mean();
  context.backward(loss, state.optimizer.parameters(), contrast.losses);
  state.learningRate = options.optimizer.learningRate * options.schedule.at(context.step(), context.steps());
  context.optimise(state.optimizer, state.learningRate);

  const torch::NoGradGuard noGrad;
  const at::Tensor matched = contrast.matched.to(at::kDouble).mean();
  state.lossSum += loss.detach() * n;
  state.matchedSum += matched * n;
  state.samples += n;
  ++state.steps;
  context.log("loss", loss);
  context.log("matched", matched);
}

void endEpoch(State& state, int64_t epoch, Job&) {
  const auto samples = static_cast<double>(state.samples);
  state.epochs.push_back({epoch + 1, state.lossSum.item<double>() / samples,
                          state.matchedSum.item<double>() / samples, state.learningRate});
  state.lossSum.zero_();
  state.matchedSum.zero_();
  state.samples = 0;
}

// How many features a sample has; the statistics of batch norms do not see it.
int64_t featureCount(const State& state, const Dataset& data, const Job& job) {
  const torch::NoGradGuard noGrad;
  const Batch batch = data.gather(torch::zeros({2}, at::kLong), job.device());
  Taps taps;
  state.model->logits(batch.inputs, Mode::kEval, {{state.classifier, TapPoint::Side::kInput}}, taps);
  return taps[0].back().size(1);
}

// Over the encoder and the projection; the classifier and what follows it gets no gradient from them.
Optimizer makeOptimizer(const State& state, const Mask* mask) {
  const std::vector<std::string>& left =
      state.model->graph(Mode::kTrain).layers()[state.classifier].parameterPaths;
  Trainable trainable = trainableOf(*state.model, mask, [&left](const std::string& path) {
    return std::find(left.begin(), left.end(), path) == left.end();
  });
  if (trainable.parameters.empty()) {
    fail(ErrorCode::kModelUnsupported, kName,
         " trains what stands before a model's classifier: expected parameters there, found none that train");
  }
  for (const at::Tensor& parameter : state.projection.parameters()) {
    trainable.parameters.push_back(parameter);
    trainable.masks.emplace_back();
  }
  return {state.options->optimizer, std::move(trainable.parameters), std::move(trainable.masks)};
}

void requireImages(const Dataset& data, const Domain& domain, const Options& options) {
  if (data.sampleShape().size() != 3) {
    fail(ErrorCode::kDataInvalid, kName, " changes images at random: expected samples [C, H, W] in domain ",
         domain.name(), ", found ", data.sampleShape());
  }
  if (options.augmentation.empty()) {
    fail(ErrorCode::kOutOfRange,
         "expected at least one random change in augmentation, received none: two views that are the same "
         "teach nothing");
  }
}

Output run(const ModelOnDomain& inputs, const Options& options, Report& report, Job& job) {
  const FitData fit = inputs.domain->fit(kName);
  inputs.model->requireTrainable(kName);
  requireImages(*fit, *inputs.domain, options);
  State state;
  state.options = &options;
  state.seed = job.seed();
  state.model = inputs.model->clone()->to(job.device());
  const std::vector<Layer>& layers = state.model->graph(Mode::kTrain).layers();
  state.classifier = classifierOf(layers);
  const Layer& classifier = layers[state.classifier];
  std::shared_ptr<Mask> zeros;
  if (keepsZeros(*state.model, options.keepZeros)) zeros = Mask::ofNonZeros(*state.model);

  const int64_t features = featureCount(state, *fit, job);
  state.projection =
      Projection(features, options.projection.hidden.value.value_or(features), options.projection.width,
                 mixSeed(state.seed, "projection"), classifier.weight.options());
  state.optimizer = makeOptimizer(state, zeros.get());
  state.lossSum = torch::zeros({}, at::TensorOptions().dtype(at::kDouble).device(job.device()));
  state.matchedSum = torch::zeros_like(state.lossSum);

  Phase<State> phase;
  phase.name = "train";
  StreamOptions stream;
  stream.batchSize = options.batchSize;
  stream.dropLast = true;  // with fewer others the task would be another
  phase.streams.emplace_back(fit, stream);
  phase.epochs = options.epochs;
  phase.step = step;
  phase.endEpoch = endEpoch;
  TrainOptions training;
  training.precision = options.precision;
  train(job, state, {phase}, training);

  // The classifier has learned nothing, and what the given one knew would not fit the features.
  const std::shared_ptr<Model> model =
      state.model->reinitializeOnly(mixSeed(state.seed, "classifier"), classifier.parameterPaths);
  if (zeros) zeros->apply(*model);
  report.epochs = state.epochs;
  report.steps = state.steps;
  report.finalLoss = lastOf(state.epochs, "epochs").loss;
  report.negatives = 2 * options.batchSize - 2;
  report.classifier = classifier.path;
  report.features = features;
  report.sparsity = weightSparsity(*model);
  return {model};
}

}  // namespace

Method trainContrastive() { return method(kName, run); }

}  // namespace espalier
