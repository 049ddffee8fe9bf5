#include "methods/evaluate/domains.h"

#include "core/metrics.h"

// Every model on every domain's report data: the accuracy matrix that a claim about domains rests on.
namespace espalier {

namespace {

struct Inputs {
  std::vector<std::shared_ptr<Model>> models;
  std::vector<std::shared_ptr<Domain>> domains;
  template <class V>
  void fields(V&& visit) {
    visit("models", models);
    visit("domains", domains);
  }
};

struct Options {
  EvaluationOptions evaluation;
  std::optional<std::vector<std::string>> labels;  // of the models, in their order
  template <class V>
  void fields(V&& visit) {
    evaluation.fields(visit);
    visit("labels", labels);
  }
};

struct Report {
  std::vector<std::string> models;
  std::vector<std::string> domains;
  std::vector<std::vector<PublishedFigures>> cells;  // [model][domain]
  template <class V>
  void fields(V&& visit) {
    visit("models", models);
    visit("domains", domains);
    visit("cells", cells);
  }
};

struct Output {
  template <class V>
  void fields(V&&) {}
};

std::vector<std::string> labelModels(const Inputs& inputs, const Options& options) {
  if (options.labels) {
    if (options.labels->size() != inputs.models.size()) {
      fail(ErrorCode::kOutOfRange, "expected ", inputs.models.size(), " labels, one a model, received ",
           options.labels->size());
    }
    return *options.labels;
  }
  std::vector<std::string> labels;
  for (size_t i = 0; i < inputs.models.size(); ++i) labels.push_back(text("model ", i + 1));
  return labels;
}

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  if (inputs.models.empty() || inputs.domains.empty()) {
    fail(ErrorCode::kOutOfRange, "expected at least one model and one domain, received ",
         inputs.models.size(), " and ", inputs.domains.size());
  }
  report.models = labelModels(inputs, options);
  // Before anything is computed: a domain without report data would stop the matrix half way.
  double samples = 0;
  for (const auto& domain : inputs.domains) {
    report.domains.push_back(domain->name());
    samples += static_cast<double>(domain->report("evaluate.domains")->size());
  }
  job.plan(samples * static_cast<double>(inputs.models.size()));
  for (size_t row = 0; row < inputs.models.size(); ++row) {
    const std::shared_ptr<Model> model = inputs.models[row]->to(job.device());
    report.cells.emplace_back();
    for (const auto& domain : inputs.domains) {
      const ReportData data = domain->report("evaluate.domains");
      EvaluationOptions evaluation = options.evaluation;
      evaluation.units = static_cast<double>(data->size());
      evaluation.phase = text(report.models[row], " on ", domain->name());
      report.cells.back().push_back(evaluateClassifier(*model, data, evaluation, job));
    }
  }
  return {};
}

}  // namespace

Method evaluateDomains() { return method("evaluate.domains", run); }

}  // namespace espalier
