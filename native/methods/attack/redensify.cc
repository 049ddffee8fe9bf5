#include "methods/attack/redensify.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "core/attack/attack.h"
#include "core/attack/refill.h"
#include "core/inputs.h"
#include "core/mask.h"
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
    const at::Tensor values =
        inputs.donor ? donated(layer, **inputs.donor) : heNoise(layer.weight, layer.weightPath, seed);
    layer.weight.copy_(torch::where(pruned, values, layer.weight.detach()));
    refilled += count;
  }
  if (refilled == 0) failWithoutZeros(kName);
  restateSparsity(model);
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
