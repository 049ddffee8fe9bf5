#include "core/attack/source.h"

namespace espalier {

void requireAttackable(const ModelOnSource& inputs, std::string_view method) {
  requireAttackable(*inputs.model, *inputs.domain, method);
  requireClasses(*inputs.model, *inputs.source, *inputs.source->report(method), "the model");
}

std::shared_ptr<Model> trainOnSource(const Model& given, const Model& start, const FitData& samples,
                                     const TransferOptions& options, const ModelOnSource& inputs,
                                     const AttackObjective& objective, SourceAttackFigures& figures,
                                     Job& job) {
  const auto tick = [&job] { job.checkCancelled(); };
  const ReportData source = inputs.source->report(job.method());
  std::shared_ptr<Model> chosen = trainAttack(given, start, {{"fine-tune", samples, options.steps}}, options,
                                              *inputs.domain, figures, job, nullptr, objective);
  figures.source.before = countAnswers(given, source, tick);
  figures.source.after = countAnswers(*chosen, source, tick);
  return chosen;
}

}  // namespace espalier
