#include "methods/evaluate/accuracy.h"

#include "core/inputs.h"
#include "core/metrics.h"

// Accuracy, per-class accuracy, loss, confusion and calibration of a model on a domain's report data.
namespace espalier {

namespace {

struct Output {
  template <class V>
  void fields(V&&) {}
};

Output run(const ModelOnDomain& inputs, const EvaluationOptions& options, PublishedFigures& report,
           Job& job) {
  const ReportData data = inputs.domain->report("evaluate.accuracy");
  report = evaluateClassifier(*inputs.model->to(job.device()), data, options, job);
  return {};
}

}  // namespace

Method evaluateAccuracy() { return method("evaluate.accuracy", run); }

}  // namespace espalier
