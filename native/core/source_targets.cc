#include "core/source_targets.h"

#include <algorithm>
#include <set>
#include <string>

#include "core/convert.h"
#include "core/error.h"
#include "core/metrics.h"

namespace espalier {

void requireSourceAndTargets(const Model& model, const Domain* source,
                             const std::vector<std::shared_ptr<Domain>>& targets, std::string_view method) {
  std::set<std::string> digests;
  const auto check = [&](const Domain& domain) {
    const FitData fit = domain.fit(method);
    if (!digests.insert(fit->digest()).second) {
      fail(ErrorCode::kDataInvalid,
           "expected target domains that differ from the source and from each other, received the same fit "
           "data again as ",
           domain.name());
    }
    const int64_t outputs = requireClassifier(model, *fit, text("domain ", domain.name()));
    if (fit->classes() == outputs) return;
    fail(ErrorCode::kDataInvalid, "expected ", outputs,
         " classes, as many as the model tells apart, in domain ", domain.name(), ", found ", fit->classes(),
         ": source and target must have the same number of classes for ", method);
  };
  if (source != nullptr) {
    source->select(method);
    check(*source);
  }
  for (const auto& target : targets) check(*target);
}

Accuracies measuredOnce(Job& job, const std::string& key, const std::function<Accuracies()>& measure) {
  Accuracies accuracies;
  fromValue(accuracies, job.memo(key, [&] { return toValue(measure()); }), key);
  return accuracies;
}

std::vector<TargetOutcome> targetOutcomes(const std::vector<std::shared_ptr<Domain>>& targets,
                                          const Accuracies& before, const Accuracies& after) {
  std::vector<TargetOutcome> all;
  for (size_t i = 0; i < targets.size(); ++i) {
    TargetOutcome figures{targets[i]->name(), before[i + 1], after[i + 1], {}};
    if (figures.before.value_or(0) > 0) figures.drop = 1 - figures.after.value() / figures.before.value();
    all.push_back(figures);
  }
  return all;
}

std::optional<double> selectAccuracy(const Model& model, const Domain& domain, Job& job) {
  if (!domain.has(Role::kSelect)) return std::nullopt;
  return evaluateBetween(model, domain.select(job.method()), job).accuracy;
}

int64_t evenParts(int64_t steps, int64_t most) {
  int64_t parts = std::min(most, steps);
  while (steps % parts != 0) --parts;
  return parts;
}

}  // namespace espalier
