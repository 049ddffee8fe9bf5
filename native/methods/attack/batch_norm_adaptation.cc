#include "methods/attack/batch_norm_adaptation.h"

#include <algorithm>
#include <chrono>

#include "core/attack/attack.h"
#include "core/inputs.h"
#include "core/train/batch_norm.h"

// Adaptation without labels: the running statistics of batch norms follow the inputs of the other domain (Li
// et al. 2016, arXiv 1603.04779); no weight changes.
namespace espalier {

namespace {

constexpr const char* kName = "attack.batchNormAdaptation";

struct Options {
  AttackSamples samples;
  int64_t steps = 100;
  int64_t batchSize = 64;
  template <class V>
  void fields(V&& visit) {
    samples.fields(visit);
    visit("steps", steps, {.min = 1, .max = 1000000});
    visit("batchSize", batchSize, {.min = 2, .max = 1048576});
  }
};

AttackOutput run(const ModelOnDomain& inputs, const Options& options, AttackFigures& report, Job& job) {
  const FitData samples = drawSamples(*inputs.domain, options.samples, kName, job.seed());
  requireAttackable(*inputs.model, *inputs.domain, kName);
  if (!hasBatchNorm(*inputs.model)) {
    fail(ErrorCode::kModelUnsupported, kName,
         ": expected a model with batch norms, found none: there are no statistics to adapt");
  }
  if (samples->size() < 2) {
    fail(ErrorCode::kOutOfRange, kName, ": expected at least two samples, received ", samples->size());
  }
  const ReportData data = inputs.domain->report(kName);
  const auto tick = [&job] { job.checkCancelled(); };
  AttackOutput output{inputs.model->clone()->to(job.device())};
  report.samples = samples->size();
  report.before = countAnswers(*output.model, data, tick);
  const int64_t batchSize = std::min(options.batchSize, samples->size());
  const auto start = std::chrono::steady_clock::now();
  refreshBatchNorm(*output.model, samples, options.steps, batchSize, job);
  report.cost.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  report.cost.steps = options.steps;
  const int64_t batches = (samples->size() + batchSize - 1) / batchSize;
  report.cost.images = options.steps / batches * samples->size() + options.steps % batches * batchSize;
  report.after = countAnswers(*output.model, data, tick);
  return output;
}

}  // namespace

Method attackBatchNormAdaptation() { return method(kName, run); }

}  // namespace espalier
