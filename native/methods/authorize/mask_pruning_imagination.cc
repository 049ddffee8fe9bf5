#include "methods/authorize/mask_pruning_imagination.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/random.h"
#include "core/train/loss.h"

namespace espalier::mask_pruning {

namespace {

// Images that a round ends with, to see what the generator makes.
constexpr int64_t kShown = 512;

enum DirectionFigure { kMeaning, kInformation, kAccuracy, kDirectionFigures };

Optimizer adamOver(const std::vector<at::Tensor>& parameters, double learningRate) {
  OptimizerOptions options;
  options.kind = OptimizerKind::kAdam;
  options.learningRate = learningRate;
  options.weightDecay = 0;
  return Optimizer(options, parameters);
}

struct Request {
  at::Tensor noise;
  at::Tensor labels;
};

Request requestOf(const Imagination& imagination, int64_t count, const GeneratorOptions& options,
                  at::Generator generator, c10::Device device) {
  return {at::randn({count, options.latent}, generator).to(device),
          at::randint(0, imagination.classes, {count}, generator, at::TensorOptions().dtype(at::kLong))
              .to(device)};
}

// Which of the images the model takes for what they were to be, with enough confidence: indices.
at::Tensor accepted(const at::Tensor& logits, const at::Tensor& labels, const GeneratorOptions& options) {
  const auto [confidence, answers] = logits.detach().softmax(1).max(1);
  return answers.eq(labels).logical_and(confidence.ge(options.confidence)).nonzero().squeeze(1);
}

// Of the last layer's input, for a model without batch norms: larger for what the model knows (Chen et al.
// 2019, eq. 3).
at::Tensor activation(const Teacher::Seen& seen) { return -seen.features.abs().mean(); }

}  // namespace

Imagination imaginationOf(const std::shared_ptr<Model>& original, int64_t classes,
                          const std::vector<int64_t>& shape, const Options& options, uint64_t seed) {
  const GeneratorOptions& generator = options.generator.value();
  const c10::Device device = original->device();
  Imagination imagination;
  imagination.original = original;
  imagination.teacher = Teacher(original);
  imagination.classes = classes;
  imagination.seed = seed;
  imagination.generator = ImageGenerator(generator, classes, shape, mixSeed(seed, "generator"), device);
  imagination.optimizer = adamOver(imagination.generator.parameters(), generator.learningRate);
  imagination.memory = ImageMemory(generator.memory, shape, classes, device);
  if (!options.diversifier) return imagination;
  const DiversifierOptions& diversifier = *options.diversifier;
  const torch::NoGradGuard noGrad;
  const int64_t features =
      imagination.teacher.see(torch::zeros({1, shape[0], shape[1], shape[2]}, device)).features.size(1);
  for (int64_t i = 0; i < diversifier.directions; ++i) {
    const uint64_t own = mixSeed(mixSeed(seed, "direction"), static_cast<uint64_t>(i));
    Direction direction;
    direction.diversifier = Diversifier(shape, own, device);
    direction.optimizer = adamOver(direction.diversifier.parameters(), diversifier.learningRate);
    direction.bound = InformationBound(features, own, device);
    direction.boundOptimizer = adamOver(direction.bound.parameters(), diversifier.learningRate);
    imagination.directions.push_back(std::move(direction));
  }
  imagination.sums = torch::zeros({kDirectionFigures}, at::TensorOptions().dtype(at::kDouble).device(device));
  return imagination;
}

void imagine(Imagination& imagination, Model& masked, const Options& options, StepContext& context) {
  const GeneratorOptions& generator = options.generator.value();
  const Request request =
      requestOf(imagination, generator.batchSize, generator, context.generator("noise"), context.device());
  const at::Tensor images = imagination.generator(request.noise, request.labels);
  Teacher::Seen seen;
  const at::Tensor logits = context.forward(*imagination.original, images, Mode::kEval, [&] {
    seen = imagination.teacher.see(images);
    return seen.logits;
  });
  const at::Tensor losses = crossEntropy(logits, request.labels, 0);
  at::Tensor loss = losses.mean() - generator.weightDiversity * diversity(logits) +
                    generator.weightVariation * variation(images) +
                    generator.weightMagnitude * images.square().flatten(1).sum(1).mean();
  if (seen.statistics.defined()) {
    loss = loss + generator.weightNorm * seen.statistics;
    imagination.statistics = seen.statistics.detach().to(at::kDouble);
  } else {
    loss = loss + generator.weightActivation * activation(seen);
  }
  // Later rounds look for images on which the mask hurts the source.
  if (!imagination.rounds.empty() && generator.weightDisagreement > 0) {
    const at::Tensor others = context.forward(masked, images, Mode::kEval);
    loss = loss - generator.weightDisagreement * disagreement(logits, others);
  }
  context.backward(loss, imagination.generator.parameters(), losses);
  context.optimise(imagination.optimizer, generator.learningRate);
  const at::Tensor taken = accepted(logits, request.labels, generator);
  imagination.memory.add(images.index_select(0, taken), logits.index_select(0, taken),
                         context.generator("memory"));
  imagination.made += generator.batchSize;
  context.log("generatorLoss", loss);
  context.log("agreement", logits.argmax(1).eq(request.labels).to(at::kFloat).mean());
}

void endImagining(Imagination& imagination, const Options& options, Job& job) {
  const GeneratorOptions& generator = options.generator.value();
  const torch::NoGradGuard noGrad;
  const auto round = static_cast<uint64_t>(imagination.rounds.size());
  const at::Generator noise =
      at::detail::createCPUGenerator(mixSeed(mixSeed(imagination.seed, "held"), round));
  const Request request = requestOf(imagination, kShown, generator, noise, job.device());
  const at::Tensor images = imagination.generator(request.noise, request.labels);
  const at::Tensor logits = imagination.teacher.answer(images);
  const at::Tensor taken = accepted(logits, request.labels, generator);
  GeneratorRound figures;
  figures.agreement = logits.argmax(1).eq(request.labels).to(at::kDouble).mean().item<double>();
  figures.confidence = std::get<0>(logits.softmax(1).max(1)).mean().item<double>();
  figures.remembered = imagination.memory.size();
  figures.fewest = imagination.memory.fewest();
  if (imagination.statistics.defined()) figures.statistics = imagination.statistics.item<double>();
  imagination.rounds.push_back(figures);
  imagination.made += kShown;
  if (taken.size(0) == 0 || imagination.memory.size() == 0) {
    fail(ErrorCode::kTargetUnreachable,
         "expected the generator to make images that the model takes for their class with a confidence of ",
         generator.confidence, ", found none: train it longer (generator.steps) or lower the confidence");
  }
  imagination.heldImages = images.index_select(0, taken);
  imagination.heldAnswers = logits.index_select(0, taken).argmax(1);
}

void diversify(Imagination& imagination, size_t index, const Options& options, StepContext& context) {
  const DiversifierOptions& diversifier = options.diversifier.value();
  Direction& direction = imagination.directions[index];
  const auto [images, answers] =
      imagination.memory.draw(options.generator.value().batchSize, context.generator("draw"));
  const at::Tensor labels = answers.argmax(1);
  Teacher::Seen own;
  {
    const torch::NoGradGuard noGrad;
    own = imagination.teacher.see(images);
  }
  const at::Tensor neighbours = direction.diversifier(images, context.generator("kernels"));
  Teacher::Seen seen;
  const at::Tensor logits = context.forward(*imagination.original, neighbours, Mode::kEval, [&] {
    seen = imagination.teacher.see(neighbours);
    return seen.logits;
  });
  const at::Tensor fit = -direction.bound.likelihood(own.features, seen.features.detach());
  context.backward(fit, direction.bound.parameters());
  context.optimise(direction.boundOptimizer, diversifier.learningRate);

  const at::Tensor order = at::randperm(images.size(0), context.generator("order")).to(context.device());
  const at::Tensor apart = meaning(own.features, seen.features, labels, imagination.classes);
  const at::Tensor information = direction.bound.bound(own.features, seen.features, order);
  const at::Tensor accuracy = logits.detach().argmax(1).eq(labels).to(at::kDouble).mean();
  context.backward(apart + diversifier.weightInformation * information, direction.diversifier.parameters());
  // Images that no longer show their class teach nothing about a domain.
  if (accuracy.item<double>() >= diversifier.leastAccuracy) {
    context.optimise(direction.optimizer, diversifier.learningRate);
  } else {
    for (const at::Tensor& parameter : direction.diversifier.parameters()) {
      at::Tensor own = parameter;
      own.mutable_grad().reset();
    }
  }
  const torch::NoGradGuard noGrad;
  imagination.sums +=
      torch::stack({apart.detach().to(at::kDouble), information.detach().to(at::kDouble), accuracy});
  imagination.made += images.size(0);
  context.log("meaning", apart);
  context.log("information", information);
}

void endDiversifying(Imagination& imagination, int64_t direction, const Options& options) {
  const at::Tensor means = imagination.sums.cpu() / static_cast<double>(options.diversifier.value().steps);
  imagination.diversified.push_back({direction, means[kMeaning].item<double>(),
                                     means[kInformation].item<double>(), means[kAccuracy].item<double>()});
  imagination.sums.zero_();
}

Neighbours drawNeighbours(const Imagination& imagination, int64_t count, StepContext& context) {
  const torch::NoGradGuard noGrad;
  const auto [images, answers] = imagination.memory.draw(count, context.generator("neighbours"));
  const auto directions = static_cast<int64_t>(imagination.directions.size());
  const auto chosen =
      at::randint(0, directions, {1}, context.generator("direction"), at::TensorOptions().dtype(at::kLong))
          .item<int64_t>();
  const Diversifier& diversifier = imagination.directions[static_cast<size_t>(chosen)].diversifier;
  return {diversifier(images, context.generator("kernels")), answers.argmax(1)};
}

double agreement(const Imagination& imagination, const Model& model) {
  const torch::NoGradGuard noGrad;
  return model.logits(imagination.heldImages, Mode::kEval)
      .argmax(1)
      .eq(imagination.heldAnswers)
      .to(at::kDouble)
      .mean()
      .item<double>();
}

}  // namespace espalier::mask_pruning
