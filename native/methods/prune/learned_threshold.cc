#include "methods/prune/learned_threshold.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/glob.h"
#include "core/mask.h"
#include "core/metrics.h"
#include "core/train/batch_norm.h"
#include "core/train/collected.h"
#include "core/train/trainer.h"
#include "kernels/ops.h"
#include "methods/prune/learned_threshold_fields.h"

// Learned Threshold Pruning (Azarian, Bhalgat, Lee, Blankevoort 2020, arXiv 2003.00075).
//
// A layer has weights w (the masters), one threshold tau on their squares and one temperature T. The network
// sees v = w s(z), z = (w^2 - tau) / T, s the sigmoid (eq. 4); the loss is L + lambda sum s(z) (eq. 6). The
// threshold follows its full gradient, the weight only dL/dv s(z) (eq. 14): the rest of its gradient, of
// order 1/T, would throw it out of the region where the loss decides. Afterwards v = w 1[w^2 > tau], and
// training goes on under that mask.
namespace espalier {

using namespace learned_threshold;

namespace {

constexpr int64_t kHistogramBins = 64;
// A snapshot is worth keeping where the density fell by that share since the last one.
constexpr double kTrailStep = 0.02;
// Columns of the figures that kernels::ltpGate returns.
enum Column { kKept, kSoftCount, kInTransition, kSlope, kUndone };

struct State {
  // Given, the same on resume.
  const Options* options = nullptr;
  std::shared_ptr<Model> teacher;
  std::optional<FitData> fit;
  std::optional<SelectData> select;
  std::vector<Candidate> candidates;
  std::vector<at::Tensor> parameters;  // all that have a gradient
  kernels::MaskList zeros;             // of a model that was pruned before: its zeros are not counted
  std::vector<double> leastKept;
  double lambda = 0;
  int64_t weights = 0;
  std::optional<double> targetKept;

  std::shared_ptr<Model> model;     // its prunable parameters hold v
  std::vector<at::Tensor> masters;  // w
  std::vector<at::Tensor> momenta;
  Optimizer others;  // of biases, norms and what else is not pruned
  at::Tensor thresholds;
  at::Tensor previous;
  at::Tensor temperatures;
  at::Tensor rates;
  at::Tensor hold;     // 1 where the target is reached: thresholds rise no more
  at::Tensor figures;  // of the last gate
  at::Tensor sums;     // of the last step
  at::Tensor undone;   // steps that the cap has undone
  at::Tensor lossSum;  // of the running epoch
  int64_t samples = 0;
  int64_t steps = 0;
  double learningRate = 0;
  std::vector<EpochReport> epochs;
  std::vector<TrailSnapshot> trail;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("masters", masters);
    visit("momenta", momenta);
    visit("others", others);
    visit("thresholds", thresholds);
    visit("previous", previous);
    visit("temperatures", temperatures);
    visit("rates", rates);
    visit("hold", hold);
    visit("figures", figures);
    visit("sums", sums);
    visit("undone", undone);
    visit("lossSum", lossSum);
    visit("samples", samples);
    visit("steps", steps);
    visit("learningRate", learningRate);
    visit("epochs", epochs, kCollected);
    visit("trail", trail, kCollected);
  }

  kernels::LtpThresholds perLayer() const { return {thresholds, previous, temperatures, rates}; }
  std::vector<at::Tensor> effective() const {
    std::vector<at::Tensor> tensors;
    for (const Candidate& candidate : candidates) tensors.push_back(candidate.weight.detach());
    return tensors;
  }
};

// Writes v into the network, and counts. A step that would leave a layer too few weights is undone here.
// Without `counting` only the weights above the thresholds are counted: what each step needs.
void gate(State& state, bool counting = true) {
  const torch::NoGradGuard noGrad;
  state.figures = kernels::ltpGate(state.masters, state.zeros, state.perLayer(), state.leastKept,
                                   state.effective(), counting);
  state.undone += state.figures.select(1, kUndone);
  if (state.targetKept)
    state.hold = state.figures.select(1, kKept).sum().le(*state.targetKept).to(at::kFloat).reshape({1});
}

void begin(State& state, Job&) {
  gate(state);
  const Options& options = *state.options;
  if (options.thresholdRule == ThresholdRule::kPlain && !options.thresholdRate.value) {
    // The first step then moves a threshold by about one temperature.
    state.rates *=
        state.temperatures.square() / (state.lambda * state.figures.select(1, kSlope)).clamp_min(1e-30);
  }
}

kernels::Tensors takeGradients(const State& state) {
  kernels::Tensors gradients;
  for (size_t i = 0; i < state.candidates.size(); ++i) {
    const at::Tensor& weight = state.candidates[i].weight;
    at::Tensor gradient = weight.grad();
    if (!gradient.defined()) {
      gradient = torch::zeros_like(state.masters[i]);
    } else if (gradient.strides() != state.masters[i].strides()) {
      gradient = torch::empty_like(state.masters[i]).copy_(gradient);
    }
    gradients.push_back(gradient);
    weight.mutable_grad() = at::Tensor();
  }
  return gradients;
}

void step(State& state, const Batches& batches, StepContext& context) {
  const Batch& batch = batches[0];
  const Options& options = *state.options;
  const at::Tensor logits = context.forward(*state.model, batch.inputs);
  at::Tensor teacherLogits;
  if (state.teacher) {
    const torch::NoGradGuard noGrad;
    teacherLogits = context.forward(*state.teacher, batch.inputs, Mode::kEval);
  }
  const at::Tensor losses = options.loss.perSample(logits, batch.labels, teacherLogits);
  const at::Tensor loss = losses.mean();
  context.backward(loss, state.parameters, losses);

  const torch::NoGradGuard noGrad;
  const WeightOptions& weights = options.optimizer;
  state.learningRate = weights.learningRate * options.schedule.at(context.step(), context.steps());
  kernels::LtpOptions update;
  update.cost = state.lambda;
  update.weights = {state.learningRate, weights.momentum, weights.weightDecay,
                    weights.nesterov && weights.momentum > 0};
  update.exact = options.weightGradient == WeightGradient::kExact;
  update.normalised = options.thresholdRule == ThresholdRule::kNormalised;
  state.sums = kernels::ltpStep(state.masters, takeGradients(state), state.momenta, state.zeros,
                                state.perLayer(), update, context.skip(), state.hold);
  context.optimise(state.others, state.learningRate);
  gate(state, /*counting=*/(context.step() + 1) % context.stepsPerEpoch() == 0);

  const int64_t size = batch.labels.size(0);
  state.lossSum += loss.detach() * size;
  state.samples += size;
  ++state.steps;
  context.log("loss", loss);
  context.log("density", state.figures.select(1, kKept).sum() / static_cast<double>(state.weights));
  if (state.epochs.empty()) return;
  // Of the last epoch's end, so that whoever watches sees them all the time.
  context.log("softAccuracy", torch::scalar_tensor(state.epochs.back().softAccuracy));
  context.log("hardAccuracy", torch::scalar_tensor(state.epochs.back().hardAccuracy));
}

// w 1[w^2 > tau], by the kernels' own comparison: in the weights' precision, with one rounding.
std::vector<at::Tensor> hardWeights(const State& state) {
  std::vector<at::Tensor> weights;
  for (size_t i = 0; i < state.masters.size(); ++i) {
    const at::Tensor& master = state.masters[i];
    const at::Tensor threshold =
        state.thresholds.select(0, static_cast<int64_t>(i)).to(master.scalar_type()).to(at::kDouble);
    weights.push_back(master * master.to(at::kDouble).square().gt(threshold));
  }
  return weights;
}

void write(const State& state, const std::vector<at::Tensor>& weights) {
  const torch::NoGradGuard noGrad;
  for (size_t i = 0; i < weights.size(); ++i) state.candidates[i].weight.copy_(weights[i]);
}

// Puts the model's parameters and buffers back when it goes out of scope.
class Restored {
 public:
  explicit Restored(const Model& model) {
    for (const at::Tensor& weight : model.weights()) kept_.emplace_back(weight, weight.clone());
  }
  ~Restored() {
    const torch::NoGradGuard noGrad;
    for (const auto& [tensor, copy] : kept_) tensor.copy_(copy);
  }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> kept_;
};

// At most an epoch's worth.
void refresh(const State& state, Job& job) {
  const int64_t size = state.options->batchSize;
  const int64_t epoch = (state.fit.value()->size() + size - 1) / size;
  refreshBatchNorm(*state.model, state.fit.value(), std::min(state.options->refreshBatches, epoch), size,
                   job);
}

double accuracyOn(const State& state, Job& job) {
  return evaluateBetween(*state.model, state.select.value(), job).accuracy;
}

std::vector<std::string> pathsOf(const std::vector<Candidate>& candidates) {
  std::vector<std::string> paths;
  for (const Candidate& candidate : candidates) paths.push_back(candidate.path);
  return paths;
}

// Of the snapshots between the first and the last, the one whose density is closest to its predecessor's.
void dropClosest(std::vector<TrailSnapshot>& trail) {
  size_t closest = 1;
  double smallest = 2;
  for (size_t i = 1; i + 1 < trail.size(); ++i) {
    const double fall = 1 - trail[i].point.density / trail[i - 1].point.density;
    if (fall < smallest) {
      smallest = fall;
      closest = i;
    }
  }
  trail.erase(trail.begin() + static_cast<std::ptrdiff_t>(closest));
}

void snapshot(State& state, const EpochReport& epoch) {
  const TrailOptions& options = state.options->trail;
  if (epoch.epoch % options.every != 0) return;
  std::vector<TrailSnapshot>& trail = state.trail;
  if (!trail.empty() && epoch.density > (1 - kTrailStep) * trail.back().point.density) return;
  const TrailPoint point = {epoch.epoch, epoch.step, epoch.density, epoch.hardAccuracy};
  trail.push_back(TrailSnapshot::of(*state.model, point, pathsOf(state.candidates)));
  if (static_cast<int64_t>(trail.size()) > options.snapshots) dropClosest(trail);
}

std::vector<double> perWeight(const State& state, const at::Tensor& figures, Column column) {
  std::vector<double> shares;
  for (size_t i = 0; i < state.masters.size(); ++i) {
    const double count = figures[static_cast<int64_t>(i)][column].item<double>();
    shares.push_back(count / static_cast<double>(std::max<int64_t>(1, state.masters[i].numel())));
  }
  return shares;
}

// Where weights shrank faster than the cap gives way, the threshold goes right below the last that must stay.
void spareLayers(State& state) {
  const torch::NoGradGuard noGrad;
  const at::Tensor kept = state.figures.select(1, kKept).cpu();
  bool any = false;
  for (size_t i = 0; i < state.masters.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    if (kept[row].item<double>() >= state.leastKept[i]) continue;
    const at::Tensor magnitude = state.masters[i].reshape({-1}).abs();
    const int64_t rank = magnitude.numel() - static_cast<int64_t>(state.leastKept[i]) + 1;
    const at::Tensor last = std::get<0>(magnitude.kthvalue(rank)).to(at::kDouble);
    state.thresholds[row].copy_(last.square() * (1 - 1e-6));
    any = true;
  }
  if (any) gate(state);
}

void endEpoch(State& state, int64_t index, Job& job) {
  spareLayers(state);
  const at::Tensor figures = state.figures.cpu();
  const auto all = static_cast<double>(state.weights);
  EpochReport epoch;
  epoch.epoch = index + 1;
  epoch.step = state.steps;
  epoch.loss = state.lossSum.item<double>() / static_cast<double>(state.samples);
  epoch.learningRate = state.learningRate;
  epoch.density = figures.select(1, kKept).sum().item<double>() / all;
  epoch.softDensity = figures.select(1, kSoftCount).sum().item<double>() / all;
  epoch.layerDensity = perWeight(state, figures, kKept);
  epoch.layerInTransition = perWeight(state, figures, kInTransition);
  epoch.softAccuracy = accuracyOn(state, job);
  {
    // What a snapshot holds is what would be deployed: pruned, with norms that follow.
    const Restored weightsAndStatistics(*state.model);
    write(state, hardWeights(state));
    refresh(state, job);
    epoch.hardAccuracy = accuracyOn(state, job);
    snapshot(state, epoch);
  }
  state.epochs.push_back(std::move(epoch));
  state.lossSum.zero_();
  state.samples = 0;
}

// --- Before the first step

double relativeTemperature(const Options& options, int64_t steps) {
  if (options.temperature.value) return *options.temperature.value;
  // A Gaussian layer reaches a density of 5 % after 10.6 / (temperature x rate) steps: twice that many are
  // there.
  const double rate =
      options.thresholdRule == ThresholdRule::kNormalised ? options.thresholdRate.value.value_or(1) : 1;
  return std::clamp(24 / (static_cast<double>(steps) * rate), 1e-3, 5e-2);
}

// T = T0 Var |w| (eq. 15), over the weights that are not pruned yet; never so small that it divides by zero.
double temperatureOf(const at::Tensor& weight, const at::Tensor& kept, double relative) {
  const at::Tensor magnitude =
      (kept.defined() ? weight.masked_select(kept) : weight.reshape({-1})).to(at::kDouble).abs();
  if (magnitude.numel() == 0) return 1e-30;
  const double variance = magnitude.var(/*unbiased=*/false).item<double>();
  return std::max(relative * variance, 1e-8 * magnitude.square().mean().item<double>() + 1e-30);
}

// The threshold above which `density` of a layer stands.
double thresholdAt(const at::Tensor& weight, double density) {
  const auto below = static_cast<int64_t>(std::llround((1 - density) * static_cast<double>(weight.numel())));
  if (below <= 0) return 0;
  return std::pow(std::get<0>(weight.reshape({-1}).abs().to(at::kDouble).kthvalue(below)).item<double>(), 2);
}

double rateOf(const Options& options, const std::string& path) {
  double rate = options.thresholdRate.value.value_or(1);
  for (const auto& [pattern, factor] : options.layerRates) {
    if (matchesGlob(pattern, path)) rate *= factor;
  }
  return rate;
}

void check(const Inputs& inputs, const Options& options) {
  inputs.model->requireTrainable("prune.learnedThreshold");
  options.loss.check(inputs.teacher.has_value());
  if (options.target && options.target->density.has_value() == options.target->compression.has_value()) {
    fail(ErrorCode::kInvalidArgType, "expected either density or compression for target, received ",
         options.target->density ? "both" : "neither");
  }
  if (options.thresholdRule == ThresholdRule::kPlain && !options.thresholdRate.value &&
      options.lambda.value == 0.0) {
    fail(ErrorCode::kOutOfRange,
         "expected a number for thresholdRate with thresholdRule 'plain' and lambda 0, received 'auto', "
         "which is "
         "measured on lambda's pull");
  }
}

std::vector<Candidate> candidatesOf(const Model& model, const WeightPatterns& patterns) {
  std::vector<Candidate> candidates = pruningCandidates(model, patterns);
  for (const Candidate& candidate : candidates) {
    const at::ScalarType type = candidate.weight.scalar_type();
    if (type != at::kFloat && type != at::kDouble) {
      fail(ErrorCode::kModelUnsupported,
           "expected float32 or float64 weights to learn thresholds for, found ", type, " in ",
           candidate.path, ": exclude it, or convert the model");
    }
    if (type != candidates[0].weight.scalar_type()) {
      fail(ErrorCode::kModelUnsupported, "expected weights of one type, found ",
           candidates[0].weight.scalar_type(), " in ", candidates[0].path, " and ", type, " in ",
           candidate.path, ": exclude one of them");
    }
  }
  return candidates;
}

State makeState(const Inputs& inputs, const Options& options, Report& report, int64_t steps, Job& job) {
  State state;
  state.options = &options;
  state.model = inputs.model->clone()->to(job.device());
  state.fit = inputs.domain->fit("prune.learnedThreshold");
  state.select = inputs.domain->select("prune.learnedThreshold");
  if (inputs.teacher) state.teacher = (*inputs.teacher)->to(job.device());
  state.candidates = candidatesOf(*state.model, options.patterns);
  const bool keepZeros = keepsZeros(*state.model, options.keepZeros);
  report.temperature = relativeTemperature(options, steps);
  std::vector<double> thresholds;
  std::vector<double> temperatures;
  std::vector<double> rates;
  for (const Candidate& candidate : state.candidates) {
    const at::Tensor master = candidate.weight.detach().clone();
    const at::Tensor kept = keepZeros ? master.ne(0) : at::Tensor();
    const int64_t present = kept.defined() ? kept.sum().item<int64_t>() : master.numel();
    state.zeros.push_back(kept.defined() ? std::optional(kept) : std::nullopt);
    const double least = std::ceil((1 - options.maxLayerSparsity) * static_cast<double>(master.numel()));
    state.leastKept.push_back(std::min(std::max(1.0, least), static_cast<double>(present)));
    thresholds.push_back(thresholdAt(master, options.initialDensity));
    temperatures.push_back(temperatureOf(master, kept, report.temperature));
    rates.push_back(rateOf(options, candidate.path));
    state.weights += master.numel();
    state.momenta.push_back(torch::zeros_like(master));
    state.masters.push_back(master);
  }
  state.lambda = options.lambda.value.value_or(2 / static_cast<double>(state.weights));
  report.lambda = state.lambda;
  if (options.target) {
    const double density =
        options.target->density ? *options.target->density : 1 / options.target->compression.value();
    state.targetKept = density * static_cast<double>(state.weights);
  }
  std::vector<at::Tensor> others;
  for (const ParameterInfo& info : state.model->parameters()) {
    if (!info.tensor.requires_grad()) continue;
    state.parameters.push_back(info.tensor);
    const bool pruned = std::any_of(state.candidates.begin(), state.candidates.end(),
                                    [&](const Candidate& each) { return each.weight.is_same(info.tensor); });
    if (!pruned) others.push_back(info.tensor);
  }
  OptimizerOptions optimizer;
  optimizer.momentum = options.optimizer.momentum;
  optimizer.nesterov = options.optimizer.nesterov;
  optimizer.weightDecay = options.optimizer.weightDecay;
  state.others = Optimizer(optimizer, std::move(others));
  const auto vector = at::TensorOptions().dtype(at::kDouble).device(job.device());
  const auto count = static_cast<int64_t>(state.masters.size());
  state.thresholds = torch::tensor(thresholds, vector);
  state.previous = state.thresholds.clone();
  state.temperatures = torch::tensor(temperatures, vector);
  state.rates = torch::tensor(rates, vector);
  state.hold = torch::zeros({1}, vector.dtype(at::kFloat));
  state.sums = torch::zeros({count, 3}, vector);
  state.figures = torch::zeros({count, 5}, vector);
  state.undone = torch::zeros({count}, vector);
  state.lossSum = torch::zeros({}, vector);
  return state;
}

// --- After the last step

Histogram histogramOf(const at::Tensor& master) {
  Histogram histogram;
  const at::Tensor magnitude = master.reshape({-1}).abs().cpu().to(at::kFloat);
  if (magnitude.numel() == 0) return histogram;
  histogram.largest = magnitude.max().item<double>();
  const at::Tensor counts =
      magnitude.histc(kHistogramBins, 0, std::max(histogram.largest, 1e-30)).to(at::kLong);
  histogram.counts.assign(counts.const_data_ptr<int64_t>(),
                          counts.const_data_ptr<int64_t>() + counts.numel());
  return histogram;
}

void describe(const State& state, const Dataset& data, Report& report) {
  const at::Tensor figures = state.figures.cpu();
  const at::Tensor sums = state.sums.cpu();
  std::map<const void*, int64_t> macs;
  const at::Tensor sample = data.gather(torch::zeros({1}, at::kLong), state.model->device()).inputs;
  const Graph& graph = state.model->graph(Mode::kEval);
  for (const LayerCost& cost : graph.cost({state.model->preprocess(sample)})) {
    if (cost.layer != LayerCost::kNoLayer)
      macs[graph.layers()[cost.layer].weight.unsafeGetTensorImpl()] += cost.multiplyAccumulates;
  }
  double kept = 0;
  double macsLeft = 0;
  double macsAll = 0;
  for (size_t i = 0; i < state.candidates.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    const auto at = [&](const at::Tensor& table, int64_t column) {
      return table[row][column].item<double>();
    };
    const double weights = std::max<double>(1, static_cast<double>(state.masters[i].numel()));
    LayerReport layer;
    layer.path = state.candidates[i].path;
    layer.weights = state.masters[i].numel();
    layer.kept = static_cast<int64_t>(at(figures, kKept));
    layer.density = at(figures, kKept) / weights;
    layer.softDensity = at(figures, kSoftCount) / weights;
    layer.inTransition = at(figures, kInTransition) / weights;
    layer.threshold = std::sqrt(state.thresholds[row].item<double>());
    layer.temperature = state.temperatures[row].item<double>();
    layer.thresholdGradient = -(at(sums, 1) + state.lambda * at(sums, 0)) / layer.temperature;
    layer.stepsUndone = static_cast<int64_t>(state.undone[row].item<double>());
    layer.multiplyAccumulates = macs[state.candidates[i].weight.unsafeGetTensorImpl()];
    layer.histogram = histogramOf(state.masters[i]);
    kept += at(figures, kKept);
    macsAll += static_cast<double>(layer.multiplyAccumulates);
    macsLeft += layer.density * static_cast<double>(layer.multiplyAccumulates);
    report.layers.push_back(std::move(layer));
  }
  double parameters = 0;
  for (const ParameterInfo& info : state.model->parameters())
    parameters += static_cast<double>(info.tensor.numel());
  const auto weights = static_cast<double>(state.weights);
  report.density = kept / weights;
  report.compression = weights / std::max(1.0, kept);
  report.compressionAll = parameters / (parameters - weights + kept);
  report.macRatio = macsAll > 0 ? macsLeft / macsAll : 1;
  report.targetReached = state.hold.item<float>() != 0;
}

std::shared_ptr<Mask> harden(State& state) {
  const std::vector<at::Tensor> weights = hardWeights(state);
  write(state, weights);
  std::vector<Mask::Entry> entries;
  for (size_t i = 0; i < weights.size(); ++i)
    entries.push_back({state.candidates[i].path, weights[i].ne(0).cpu()});
  auto mask = std::make_shared<Mask>(std::move(entries));
  prune(*state.model, *mask);
  return mask;
}

// Under the mask, with a rate that falls from that of the thresholds' training to zero.
std::shared_ptr<Model> fineTune(const State& state, const Inputs& inputs, const Options& options,
                                Report& report, Job& job) {
  SupervisedOptions training;
  training.epochs = options.fineTuneEpochs;
  training.batchSize = options.batchSize;
  training.optimizer.learningRate = options.optimizer.learningRate;
  training.optimizer.momentum = options.optimizer.momentum;
  training.optimizer.nesterov = options.optimizer.nesterov;
  training.optimizer.weightDecay = options.optimizer.weightDecay;
  training.augmentation = options.augmentation;
  training.loss = options.loss;
  training.precision = options.precision;
  training.keepZeros.value = true;
  Value handles = Value::Map{{"model", HandlePtr(state.model)}, {"domain", HandlePtr(inputs.domain)}};
  if (inputs.teacher) handles.set("teacher", HandlePtr(*inputs.teacher));
  const MethodResult result =
      job.run("train.supervised", handles, toValue(training), static_cast<double>(options.fineTuneEpochs));
  report.fineTune = result.report;
  return result.output<Model>("model")->clone();
}

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  check(inputs, options);
  const FitData fit = inputs.domain->fit("prune.learnedThreshold");
  requireClassifier(*inputs.model, *fit, text("domain ", inputs.domain->name()));
  const int64_t stepsPerEpoch = (fit->size() + options.batchSize - 1) / options.batchSize;
  State state = makeState(inputs, options, report, options.epochs * stepsPerEpoch, job);
  job.plan(static_cast<double>(options.epochs + options.fineTuneEpochs));
  const Value dense = job.memo("dense", [&] { return Value(accuracyOn(state, job)); });
  report.accuracy.dense = dense.asDouble();
  const std::shared_ptr<Model> original = inputs.model->clone();

  Phase<State> phase;
  phase.name = "prune";
  StreamOptions stream;
  stream.batchSize = options.batchSize;
  stream.augmentation = options.augmentation;
  phase.streams.emplace_back(fit, stream);
  phase.epochs = options.epochs;
  phase.step = step;
  phase.begin = begin;
  phase.endEpoch = endEpoch;
  TrainOptions training;
  training.precision = options.precision;
  training.units = static_cast<double>(options.epochs);
  train(job, state, {phase}, training);

  describe(state, *fit, report);
  report.epochs = state.epochs;
  report.accuracy.soft = lastOf(state.epochs, "epochs").softAccuracy;
  for (const TrailSnapshot& each : state.trail) report.trail.push_back(each.point);
  const std::shared_ptr<Mask> mask = harden(state);
  refresh(state, job);
  report.accuracy.hard = accuracyOn(state, job);
  if (options.fineTuneEpochs > 0) {
    state.model = fineTune(state, inputs, options, report, job);
    report.accuracy.fineTuned = accuracyOn(state, job);
  }
  auto trail =
      std::make_shared<Trail>(original, pathsOf(state.candidates), report.accuracy.dense, state.trail);
  return {state.model, mask, trail};
}

}  // namespace

Method pruneLearnedThreshold() { return method("prune.learnedThreshold", run); }

}  // namespace espalier
