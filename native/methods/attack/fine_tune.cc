#include "methods/attack/fine_tune.h"

#include <algorithm>

#include "core/attack/attack.h"
#include "core/inputs.h"

// Fine-tuning on labelled samples of another domain: the attack that a learning curve repeats at many sizes,
// here once, with the model that comes of it and its accuracy along the way.
namespace espalier {

namespace {

constexpr const char* kName = "attack.fineTune";

struct Options {
  AttackSamples samples;
  TransferOptions transfer;
  std::vector<int64_t> checkpoints;
  template <class V>
  void fields(V&& visit) {
    samples.fields(visit);
    transfer.fields(visit);
    visit("checkpoints", checkpoints, {.min = 1, .max = 10000000});
  }
};

struct Report : TrainedAttackFigures {
  std::vector<AttackCheckpoint> checkpoints;
  template <class V>
  void fields(V&& visit) {
    TrainedAttackFigures::fields(visit);
    visit("checkpoints", checkpoints);
  }
};

// Cut at the checkpoints; without any, one stretch.
std::vector<AttackStretch> stretchesOf(const Options& options, const FitData& samples) {
  std::vector<int64_t> ends = options.checkpoints;
  ends.push_back(options.transfer.steps);
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  if (ends.back() > options.transfer.steps) {
    fail(ErrorCode::kOutOfRange, "expected checkpoints of at most ", options.transfer.steps,
         " (steps), received ", ends.back());
  }
  std::vector<AttackStretch> stretches;
  int64_t begin = 0;
  for (const int64_t end : ends) {
    stretches.push_back({"fine-tune", samples, end - begin});
    begin = end;
  }
  return stretches;
}

AttackOutput run(const ModelOnDomain& inputs, const Options& options, Report& report, Job& job) {
  const FitData samples = drawSamples(*inputs.domain, options.samples, kName, job.seed());
  requireAttackable(*inputs.model, *inputs.domain, kName);
  options.transfer.check();
  report.samples = report.cost.labels = samples->size();
  const std::shared_ptr<Model> model = inputs.model->to(job.device());
  const std::shared_ptr<Model> start = startTransfer(*model, options.transfer, job.seed());
  const bool measures = !options.checkpoints.empty();
  return {trainAttack(*model, *start, stretchesOf(options, samples), options.transfer, *inputs.domain, report,
                      job, measures ? &report.checkpoints : nullptr)};
}

}  // namespace

Method attackFineTune() { return method(kName, run); }

}  // namespace espalier
