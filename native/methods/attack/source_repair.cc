#include "methods/attack/source_repair.h"

#include "core/attack/source.h"

// An innocent repair first: a little training on the authorised domain, then the transfer. Asks whether a
// barrier survives a buyer who only freshens the model up.
namespace espalier {

namespace {

constexpr const char* kName = "attack.sourceRepair";

struct Options {
  AttackSamples samples;
  double sourceFraction = 0.05;
  int64_t repairSteps = 150;
  TransferOptions transfer;
  template <class V>
  void fields(V&& visit) {
    samples.fields(visit);
    visit("sourceFraction", sourceFraction, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("repairSteps", repairSteps, {.min = 1, .max = 10000000});
    transfer.fields(visit);
  }
};

struct Report : TrainedAttackFigures {
  int64_t sourceSamples = 0;
  template <class V>
  void fields(V&& visit) {
    TrainedAttackFigures::fields(visit);
    visit("sourceSamples", sourceSamples);
  }
};

AttackOutput run(const ModelOnSource& inputs, const Options& options, Report& report, Job& job) {
  const FitData samples = drawSamples(*inputs.domain, options.samples, kName, job.seed());
  const FitData source =
      drawSamples(*inputs.source, {.count = {}, .fraction = options.sourceFraction}, kName, job.seed());
  requireAttackable(*inputs.model, *inputs.domain, kName);
  requireClassifier(*inputs.model, *source, text("domain ", inputs.source->name()));
  report.samples = samples->size();
  report.sourceSamples = source->size();
  report.cost.labels = samples->size() + source->size();
  const std::shared_ptr<Model> model = inputs.model->to(job.device());
  const std::vector<AttackStretch> stretches = {{"repair", source, options.repairSteps},
                                                {"fine-tune", samples, options.transfer.steps}};
  return {trainAttack(*model, *startTransfer(*model, options.transfer, job.seed()), stretches,
                      options.transfer, *inputs.domain, report, job)};
}

}  // namespace

Method attackSourceRepair() { return method(kName, run); }

}  // namespace espalier
