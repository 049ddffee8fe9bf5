#include "methods/evaluate/accuracy.h"

#include "core/metrics.h"

// Accuracy, per-class accuracy, loss, confusion and calibration of a model on a domain's report data.
namespace espalier {

namespace {

struct Inputs {
  std::shared_ptr<Model> model;
  std::shared_ptr<Domain> domain;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("domain", domain);
  }
};

struct Options {
  LiteralOr<"auto", int64_t> batchSize;
  bool optimise = true;
  template <class V>
  void fields(V&& visit) {
    visit("batchSize", batchSize, {.min = 1, .max = 1048576});
    visit("optimise", optimise);
  }
};

struct Output {
  template <class V>
  void fields(V&&) {}
};

Output run(const Inputs& inputs, const Options& options, PublishedFigures& report, Job& job) {
  const ReportData data = inputs.domain->report("evaluate.accuracy");
  EvaluationOptions evaluation;
  evaluation.batchSize = options.batchSize;
  evaluation.optimise = options.optimise;
  report = evaluateClassifier(*inputs.model->to(job.device()), data, evaluation, job);
  return {};
}

}  // namespace

Method evaluateAccuracy() { return method("evaluate.accuracy", run); }

}  // namespace espalier
