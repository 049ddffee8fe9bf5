#include "methods/attack/redensify.h"

#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/attack/attack.h"
#include "core/initialize.h"
#include "core/inputs.h"
#include "core/random.h"

// The pruned weights come back, as noise (He et al. 2015, eq. 10) or from an independent model of the same
// architecture, then all is fine-tuned: the attack on barriers that live in the mask.
namespace espalier {

namespace {

constexpr const char* kName = "attack.redensify";

struct Inputs : ModelOnDomain {
  std::optional<std::shared_ptr<Model>> donor;
  template <class V>
  void fields(V&& visit) {
    ModelOnDomain::fields(visit);
    visit("donor", donor);
  }
};

struct Options {
  AttackSamples samples;
  TransferTraining training;
  template <class V>
  void fields(V&& visit) {
    samples.fields(visit);
    training.fields(visit);
  }
};

struct Report : TrainedAttackFigures {
  int64_t refilled = 0;
  template <class V>
  void fields(V&& visit) {
    TrainedAttackFigures::fields(visit);
    visit("refilled", refilled);
  }
};

at::Tensor noiseFor(const Layer& layer, uint64_t seed) {
  const at::Tensor noise = torch::empty_like(layer.weight.detach());
  fillNormal(noise, seed, layer.weightPath);
  const double fanIn = static_cast<double>(layer.weight.numel()) / static_cast<double>(layer.weight.size(0));
  return noise * std::sqrt(2 / fanIn);
}

at::Tensor donated(const Layer& layer, const Model& donor) {
  for (const ParameterInfo& parameter : donor.parameters()) {
    if (parameter.path != layer.weightPath) continue;
    if (parameter.tensor.sizes() != layer.weight.sizes()) break;
    return parameter.tensor.detach().to(layer.weight.options().requires_grad(false));
  }
  fail(ErrorCode::kModelUnsupported, kName, ": expected a donor with a weight ", layer.weightPath,
       " of shape ", c10::str(layer.weight.sizes()), ", found none: give a model of the same architecture");
}

int64_t refill(Model& model, const Inputs& inputs, uint64_t seed) {
  const torch::NoGradGuard noGrad;
  int64_t refilled = 0;
  for (const Layer& layer : model.layers()) {
    if (!layer.prunable || layer.weightPath.empty()) continue;
    const at::Tensor pruned = layer.weight.eq(0);
    const auto count = pruned.sum().item<int64_t>();
    if (count == 0) continue;
    const at::Tensor values = inputs.donor ? donated(layer, **inputs.donor) : noiseFor(layer, seed);
    layer.weight.copy_(torch::where(pruned, values, layer.weight.detach()));
    refilled += count;
  }
  if (refilled == 0) {
    fail(ErrorCode::kModelUnsupported, kName,
         ": expected a pruned model, found no zeros in its prunable weights: use attack.fineTune");
  }
  return refilled;
}

AttackOutput run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  const FitData samples = drawSamples(*inputs.domain, options.samples, kName, job.seed());
  requireAttackable(*inputs.model, *inputs.domain, kName);
  TransferOptions transfer(options.training);
  transfer.maskHeld = false;
  report.samples = report.cost.labels = samples->size();
  const std::shared_ptr<Model> model = inputs.model->to(job.device());
  const std::shared_ptr<Model> start = startTransfer(*model, transfer, job.seed());
  report.refilled = refill(*start, inputs, mixSeed(job.seed(), "noise"));
  return {trainAttack(*model, *start, {{"fine-tune", samples, transfer.steps}}, transfer, *inputs.domain,
                      report, job)};
}

}  // namespace

Method attackRedensify() { return method(kName, run); }

}  // namespace espalier
