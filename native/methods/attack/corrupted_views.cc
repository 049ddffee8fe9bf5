#include "methods/attack/corrupted_views.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "core/attack/corruption.h"
#include "core/attack/source.h"
#include "core/error.h"
#include "core/train/loss.h"

// A little authorised data teaches the model to answer corrupted views of an image as it answers the image: a
// barrier that is built on how other domains look falls with it. TransNTL (Hong et al. 2024) as its authors'
// code has it:
//   L = CE(x) + weight * sum_g q_g KL(p(x) || p(view_g(x))),  q by group DRO, p(x) held fixed,
// minimised with sharpness awareness.
namespace espalier {

namespace {

constexpr const char* kName = "attack.corruptedViews";

TransferTraining published() {
  TransferTraining training;
  training.steps = 300;
  training.learningRates = {1e-4};
  return training;
}

struct Options {
  double fraction = 0.1;
  double weight = 0.1;
  double noise = 0.2;
  double rho = 0.5;
  bool adaptive = false;
  TransferTraining training = published();
  bool maskHeld = true;
  template <class V>
  void fields(V&& visit) {
    visit("fraction", fraction, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("weight", weight, {.min = 0});
    visit("noise", noise, {.min = 0});
    visit("rho", rho, {.min = 0});
    visit("adaptive", adaptive);
    training.fields(visit);
    visit("maskHeld", maskHeld);
  }
};

void requireImages(const Domain& domain) {
  constexpr int64_t kSmallest = 3;  // that can be mirrored by two pixels
  const FitData fit = domain.fit(kName);
  const std::vector<int64_t> shape = domain.sampleShape();
  const bool numbers = fit->transformed(fit->stored(torch::zeros({1}, at::kLong))).is_floating_point();
  if (numbers && shape.size() == 3 && shape[1] >= kSmallest && shape[2] >= kSmallest) return;
  fail(ErrorCode::kDataInvalid, kName, ": expected images of at least ", kSmallest, " x ", kSmallest,
       " pixels in domain ", domain.name(), ", found samples of ", c10::str(at::IntArrayRef(shape)));
}

// Mean over samples and classes, as the published weight goes with.
at::Tensor divergence(const at::Tensor& logits, const at::Tensor& answer) {
  return softTargets(logits, answer, /*temperature=*/1).mean() / logits.size(1);
}

at::Tensor viewsTerm(const AttackPass& pass) {
  std::vector<at::Tensor> losses;
  for (const at::Tensor& view : pass.views) {
    losses.push_back(divergence(pass.context.forward(pass.model, view, pass.mode), pass.logits));
  }
  at::Tensor mean = robustMean(losses, pass.memory.front());
  pass.context.log("divergence", mean);
  return mean;
}

AttackObjective objectiveOf(const Options& options, c10::Device device) {
  AttackObjective objective;
  objective.sharpness = {options.rho, options.adaptive};
  if (options.weight == 0) return objective;
  objective.views = [&options](const at::Tensor& images, StepContext& context) {
    return corruptedViews(images, options.noise, context.generator("views"));
  };
  objective.memory = {
      torch::full({kCorruptions}, 1.0 / kCorruptions, at::TensorOptions(at::kFloat).device(device))};
  objective.term = [&options](const AttackPass& pass) { return options.weight * viewsTerm(pass); };
  return objective;
}

AttackOutput run(const ModelOnSource& inputs, const Options& options, SourceAttackFigures& report, Job& job) {
  const FitData samples =
      drawSamples(*inputs.source, {.count = {}, .fraction = options.fraction}, kName, job.seed());
  requireAttackable(inputs, kName);
  requireImages(*inputs.source);
  TransferOptions transfer(options.training);
  transfer.maskHeld = options.maskHeld;
  report.samples = report.cost.labels = samples->size();
  const std::shared_ptr<Model> model = inputs.model->to(job.device());
  const std::shared_ptr<Model> start = startTransfer(*model, transfer, job.seed());
  return {trainOnSource(*model, *start, samples, transfer, inputs, objectiveOf(options, job.device()), report,
                        job)};
}

}  // namespace

Method attackCorruptedViews() { return method(kName, run); }

}  // namespace espalier
