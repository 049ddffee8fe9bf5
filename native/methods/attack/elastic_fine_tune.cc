#include "methods/attack/elastic_fine_tune.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/attack/elastic.h"
#include "core/attack/source.h"
#include "core/random.h"
#include "core/train/trainable.h"

// Fine-tuning on authorised data while a quadratic pull, weighted by the Fisher information, keeps the
// weights that this data needs where they are: what it does not need is free to be forgotten. Kirkpatrick et
// al. 2017, eq. 3:
//   L(w) = CE(w) + lambda / 2 * sum_i F_i (w_i - w*_i)^2,  w* the given weights, F of the same data.
namespace espalier {

namespace {

constexpr const char* kName = "attack.elasticFineTune";

struct Options {
  AttackSamples samples;
  double lambda = 100;
  int64_t fisherSamples = 200;
  TransferTraining training;
  bool maskHeld = true;
  bool statisticsHeld = false;
  template <class V>
  void fields(V&& visit) {
    samples.fields(visit);
    visit("lambda", lambda, {.min = 0});
    visit("fisherSamples", fisherSamples, {.min = 1, .max = 10000000});
    training.fields(visit);
    visit("maskHeld", maskHeld);
    visit("statisticsHeld", statisticsHeld);
  }
};

struct Report : SourceAttackFigures {
  std::optional<double> meanFisher;
  double penalty = 0;
  template <class V>
  void fields(V&& visit) {
    SourceAttackFigures::fields(visit);
    visit("meanFisher", meanFisher);
    visit("penalty", penalty);
  }
};

FitData fisherSamples(const FitData& samples, const Options& options, uint64_t seed) {
  const int64_t count = std::min(options.fisherSamples, samples->size());
  return nestedSamples(samples, {count}, mixSeed(seed, "fisher")).front();
}

// Of the training that it comes before, by the samples that pass through the network.
double unitsOf(const FitData& samples, const TransferTraining& training) {
  return static_cast<double>(samples->size()) /
         (static_cast<double>(training.steps) * static_cast<double>(training.batchSize));
}

std::vector<at::Tensor> weightsOf(const Model& model) { return trainableOf(model, nullptr).parameters; }

std::vector<at::Tensor> detached(std::vector<at::Tensor> tensors) {
  for (at::Tensor& tensor : tensors) tensor = tensor.detach();
  return tensors;
}

AttackOutput run(const ModelOnSource& inputs, const Options& options, Report& report, Job& job) {
  const FitData samples = drawSamples(*inputs.source, options.samples, kName, job.seed());
  requireAttackable(inputs, kName);
  TransferOptions transfer(options.training);
  transfer.maskHeld = options.maskHeld;
  report.samples = report.cost.labels = samples->size();
  const std::shared_ptr<Model> model = inputs.model->to(job.device());
  const std::shared_ptr<Model> start = startTransfer(*model, transfer, job.seed());
  AttackObjective objective;
  if (options.statisticsHeld) objective.mode = Mode::kEval;
  // Without a pull this is plain fine-tuning, and needs no Fisher information.
  if (options.lambda == 0)
    return {trainOnSource(*model, *start, samples, transfer, inputs, objective, report, job)};

  const FitData measured = fisherSamples(samples, options, job.seed());
  objective.unitsBefore = unitsOf(measured, transfer);
  job.plan(objective.unitsBefore + static_cast<double>(transfer.learningRates.size()));
  const Fisher fisher = empiricalFisher(start, measured, objective.unitsBefore, job);
  const std::vector<at::Tensor> anchors = detached(weightsOf(*start));
  const auto penalty = [&](const std::vector<at::Tensor>& weights) {
    return options.lambda / 2 * elasticDistance(weights, anchors, fisher.diagonal);
  };
  objective.term = [&](const AttackPass& pass) {
    at::Tensor pull = penalty(pass.weights);
    pass.context.log("penalty", pull);
    return pull;
  };
  report.meanFisher = fisher.mean();
  report.cost.images = measured->size();
  report.cost.seconds = fisher.seconds;
  std::shared_ptr<Model> attacked =
      trainOnSource(*model, *start, samples, transfer, inputs, objective, report, job);
  report.penalty = penalty(detached(weightsOf(*attacked))).item<double>();
  return {attacked};
}

}  // namespace

Method attackElasticFineTune() { return method(kName, run); }

}  // namespace espalier
