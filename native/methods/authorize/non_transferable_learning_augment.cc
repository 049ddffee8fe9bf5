#include "methods/authorize/non_transferable_learning_augment.h"

#include <algorithm>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/objectives/mmd.h"
#include "core/random.h"
#include "core/train/collected.h"
#include "core/train/loss.h"
#include "core/train/trainer.h"
#include "methods/authorize/non_transferable_learning_adversaries.h"

namespace espalier::non_transferable_learning {

namespace {

constexpr const char* kName = "authorize.nonTransferableLearning";
// The critic rests where it is right and the artist is not (official code).
constexpr double kCriticRests = 0.2;
constexpr double kArtistGood = 0.3;
constexpr double kMeaning = 0.5;  // weight of the class while images are driven away
constexpr double kBeta1 = 0.5;
constexpr double kLightest = 255;

struct State {
  // Given, the same on resume.
  const AugmentationOptions* options = nullptr;
  int64_t classes = 0;
  uint64_t seed = 0;

  Artist artist;
  Critic critic;
  Optimizer artistOptimizer;
  Optimizer criticOptimizer;
  Optimizer bothOptimizer;
  std::vector<at::Tensor> learned;  // the artist before it is driven away
  int64_t cell = 0;
  at::Tensor discrepancy;  // of the cell's last step, one element
  std::vector<CellFigures> cells;
  std::vector<at::Tensor> images;  // of the cells, uint8 [imagesPerCell, C, H, W]
  std::vector<at::Tensor> labels;
  template <class V>
  void fields(V&& visit) {
    visit("artist", artist);
    visit("critic", critic);
    visit("artistOptimizer", artistOptimizer);
    visit("criticOptimizer", criticOptimizer);
    visit("bothOptimizer", bothOptimizer);
    visit("learned", learned);
    visit("cell", cell);
    visit("discrepancy", discrepancy);
    visit("cells", cells, kCollected);
    visit("images", images, kCollected);
    visit("labels", labels, kCollected);
  }
};

Optimizer adamOver(std::vector<at::Tensor> parameters, const AugmentationOptions& options) {
  OptimizerOptions adam;
  adam.kind = OptimizerKind::kAdam;
  adam.learningRate = options.learningRate;
  adam.beta1 = kBeta1;
  adam.weightDecay = 0;
  return Optimizer(adam, std::move(parameters));
}

at::Tensor noiseFor(int64_t count, const State& state, at::Generator generator, c10::Device device) {
  return at::randn({count, state.options->latent}, std::move(generator)).to(device);
}

at::Tensor squaredError(const at::Tensor& validity, double wanted) {
  return (validity - wanted).square().mean();
}

// Artist, critic, and both together on the class, in turn.
void learnStep(State& state, const Batches& batches, StepContext& context) {
  const AugmentationOptions& options = *state.options;
  const Batch& real = batches[0];
  const int64_t n = real.labels.size(0);
  const at::Generator dropping = context.generator("dropping");
  const auto make = [&](const at::Tensor& labels) {
    return state.artist(noiseFor(n, state, context.generator("noise"), context.device()), labels);
  };
  const at::Tensor made = make(real.labels);
  const at::Tensor artistLoss = squaredError(state.critic(made, dropping).validity, 1);
  context.backward(artistLoss, state.artist.parameters());
  context.optimise(state.artistOptimizer, options.learningRate);

  const Critic::Opinion ofReal = state.critic(real.inputs, dropping);
  const Critic::Opinion ofMade = state.critic(made.detach(), dropping);
  const at::Tensor adversarial = 0.5 * (squaredError(ofReal.validity, 1) + squaredError(ofMade.validity, 0));
  const at::Tensor counts =
      adversarial.detach().gt(kCriticRests).logical_or(artistLoss.detach().lt(kArtistGood));
  const at::Tensor criticLoss = adversarial * counts.to(adversarial.scalar_type()) +
                                options.classWeight * crossEntropy(ofReal.logits, real.labels, 0).mean();
  context.backward(criticLoss, state.critic.parameters());
  context.optimise(state.criticOptimizer, options.learningRate);

  const at::Tensor asked =
      at::randint(0, state.classes, {n}, context.generator("labels"), at::TensorOptions().dtype(at::kLong))
          .to(context.device());
  const at::Tensor classLoss = crossEntropy(state.critic(make(asked), dropping).logits, asked, 0).mean();
  context.backward(classLoss, state.bothOptimizer.parameters());
  context.optimise(state.bothOptimizer, options.learningRate);
  context.log("artistLoss", artistLoss);
  context.log("criticLoss", criticLoss);
  context.log("classLoss", classLoss);
}

void keepLearned(State& state, int64_t /*epoch*/, Job& /*job*/) {
  const torch::NoGradGuard noGrad;
  const std::vector<at::Tensor>& parameters = state.artist.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) state.learned[i].copy_(parameters[i]);
}

double distanceOf(const State& state) {
  return itemOf(state.options->distances, state.cell / state.options->directions, "distances");
}

int64_t directionOf(const State& state) { return state.cell % state.options->directions; }

void beginCell(State& state, Job& /*job*/) {
  const torch::NoGradGuard noGrad;
  const std::vector<at::Tensor>& parameters = state.artist.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].copy_(state.learned[i]);
  // Its moments begin anew: none is left from another direction.
  state.artistOptimizer = adamOver(parameters, *state.options);
}

// Away from the source up to the distance, the class kept; the critic stands still, and drops nothing.
void driveStep(State& state, const Batches& batches, StepContext& context) {
  const AugmentationOptions& options = *state.options;
  const Batch& real = batches[0];
  const at::Tensor made = state.artist(
      noiseFor(real.labels.size(0), state, context.generator("noise"), context.device()), real.labels);
  const Critic::Opinion opinion = state.critic(made);
  at::Tensor features;
  {
    const torch::NoGradGuard noGrad;
    features = state.critic(real.inputs).features;
  }
  const at::Tensor discrepancy = maximumMeanDiscrepancy(opinion.features, features);
  const at::Tensor loss = kMeaning * crossEntropy(opinion.logits, real.labels, 0).mean() -
                          discrepancy.clamp_max(distanceOf(state));
  context.backward(loss, state.artist.parameters());
  state.artist.hold(directionOf(state), options.directions);
  context.optimise(state.artistOptimizer, options.learningRate);
  state.discrepancy = discrepancy.detach().to(at::kDouble);
  context.log("discrepancy", discrepancy);
}

// 3 x 3, as the official code does before an image is kept.
at::Tensor blurred(const at::Tensor& images) {
  const at::Tensor line = torch::tensor({1.0F, 2.0F, 1.0F}, images.options().requires_grad(false)) / 4;
  const at::Tensor kernel =
      (line.unsqueeze(1) * line.unsqueeze(0)).expand({images.size(1), 1, 3, 3}).contiguous();
  const std::vector<int64_t> one = {1, 1};
  return at::conv2d(at::replication_pad2d(images, {1, 1, 1, 1}), kernel, /*bias=*/{}, /*stride=*/one,
                    /*padding=*/std::vector<int64_t>{0, 0}, /*dilation=*/one, /*groups=*/images.size(1));
}

void endCell(State& state, int64_t /*epoch*/, Job& job) {
  const torch::NoGradGuard noGrad;
  const AugmentationOptions& options = *state.options;
  const at::Generator generator =
      at::detail::createCPUGenerator(mixSeed(mixSeed(state.seed, "cell"), static_cast<uint64_t>(state.cell)));
  const at::Tensor labels =
      at::randint(0, state.classes, {options.imagesPerCell}, generator, at::TensorOptions().dtype(at::kLong));
  const at::Tensor onDevice = labels.to(job.device());
  const at::Tensor images =
      state.artist(noiseFor(options.imagesPerCell, state, generator, job.device()), onDevice);
  CellFigures figures;
  figures.distance = distanceOf(state);
  figures.direction = directionOf(state);
  figures.discrepancy = state.discrepancy.item<double>();
  figures.agreement =
      state.critic(images).logits.argmax(1).eq(onDevice).to(at::kDouble).mean().item<double>();
  state.cells.push_back(figures);
  state.images.push_back((blurred(images) * kLightest).round().clamp(0, kLightest).to(at::kByte).cpu());
  state.labels.push_back(labels);
  ++state.cell;
}

std::vector<Phase<State>> phasesOf(const FitData& fit, const AugmentationOptions& options) {
  Phase<State> phase;
  phase.name = "adversaries";
  StreamOptions stream;
  stream.batchSize = std::min(options.batchSize, fit->size());
  stream.dropLast = true;
  phase.streams.emplace_back(fit, stream);
  phase.stepsPerEpoch = options.steps;
  phase.step = learnStep;
  phase.endEpoch = keepLearned;
  std::vector<Phase<State>> phases = {phase};
  phase.name = "distance";
  phase.stepsPerEpoch = options.distanceSteps;
  phase.begin = beginCell;
  phase.step = driveStep;
  phase.endEpoch = endCell;
  const auto cells = static_cast<int64_t>(options.distances.size()) * options.directions;
  for (int64_t i = 0; i < cells; ++i) phases.push_back(phase);
  return phases;
}

// Share of the images that the model takes for their class.
double agreementOf(const Model& model, const Dataset& images, Job& job) {
  constexpr int64_t kBatch = 256;
  const torch::NoGradGuard noGrad;
  int64_t right = 0;
  for (int64_t begin = 0; begin < images.size(); begin += kBatch) {
    job.checkCancelled();
    const Batch batch =
        images.gather(at::arange(begin, std::min(images.size(), begin + kBatch), at::kLong), model.device());
    right += model.logits(batch.inputs, Mode::kEval).argmax(1).eq(batch.labels).sum().item<int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(images.size());
}

}  // namespace

Augmented augment(const Model& model, const Domain& source, const AugmentationOptions& options, Job& job,
                  double units) {
  const std::vector<int64_t> shape = source.sampleShape();
  if (shape.size() != 3) {
    fail(ErrorCode::kDataInvalid, kName, ": expected images in domain ", source.name(),
         " to make others of, found samples of another kind");
  }
  const FitData fit = source.fit(kName);
  State state;
  state.options = &options;
  state.classes = source.classes();
  state.seed = job.seed();
  state.artist = Artist(options, state.classes, shape, mixSeed(job.seed(), "artist"), job.device());
  state.critic = Critic(options, state.classes, shape, mixSeed(job.seed(), "critic"), job.device());
  for (const at::Tensor& parameter : state.artist.parameters())
    state.learned.push_back(parameter.detach().clone());
  state.artistOptimizer = adamOver(state.artist.parameters(), options);
  state.criticOptimizer = adamOver(state.critic.parameters(), options);
  std::vector<at::Tensor> both = state.artist.parameters();
  both.insert(both.end(), state.critic.parameters().begin(), state.critic.parameters().end());
  state.bothOptimizer = adamOver(std::move(both), options);
  TrainOptions training;
  training.units = units;
  train(job, state, phasesOf(fit, options), training);

  const DatasetPtr images =
      Dataset::fromTensors(torch::cat(state.images), torch::cat(state.labels), state.classes);
  Augmented augmented;
  augmented.figures.images = images->size();
  augmented.figures.agreement = agreementOf(model, *images, job);
  augmented.figures.cells = state.cells;
  augmented.domain = Domain::holdingOut("around " + source.name(), images, Domain::kSelectFraction, nullptr);
  return augmented;
}

}  // namespace espalier::non_transferable_learning
