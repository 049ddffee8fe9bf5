#include "methods/attack/retrain_head.h"

#include "core/attack/attack.h"
#include "core/inputs.h"

// A fresh classifier on the model's features: the attack on protections that confuse only the head. By
// default nothing else is trained (RTLL), with `layers: 'all'` the rest follows it (RTAL).
namespace espalier {

namespace {

constexpr const char* kName = "attack.retrainHead";

struct Options {
  AttackSamples samples;
  TransferTraining training;
  bool maskHeld = true;
  TransferLayers layers = TransferLayers::kHead;
  template <class V>
  void fields(V&& visit) {
    samples.fields(visit);
    training.fields(visit);
    visit("maskHeld", maskHeld);
    visit("layers", layers);
  }
};

AttackOutput run(const ModelOnDomain& inputs, const Options& options, TrainedAttackFigures& report,
                 Job& job) {
  const FitData samples = drawSamples(*inputs.domain, options.samples, kName, job.seed());
  requireAttackable(*inputs.model, *inputs.domain, kName);
  TransferOptions transfer(options.training);
  transfer.maskHeld = options.maskHeld;
  transfer.head = TransferStart::kFresh;
  transfer.layers = options.layers;
  report.samples = report.cost.labels = samples->size();
  const std::shared_ptr<Model> model = inputs.model->to(job.device());
  return {trainAttack(*model, *startTransfer(*model, transfer, job.seed()),
                      {{"retrain head", samples, transfer.steps}}, transfer, *inputs.domain, report, job)};
}

}  // namespace

Method attackRetrainHead() { return method(kName, run); }

}  // namespace espalier
