#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/domain.h"
#include "core/job.h"
#include "core/model.h"

// What the methods share that bind a model to a source and against targets.
namespace espalier {

// Refuses fit data that is the same twice, or of another number of classes than the model tells apart, and a
// source without select data: ERR_DATA_INVALID. `source` may be null.
void requireSourceAndTargets(const Model& model, const Domain* source,
                             const std::vector<std::shared_ptr<Domain>>& targets, std::string_view method);

// What became of the source, on select data. `Name` is optional where images that were made may stand for it.
template <class Name>
struct SourceOutcome {
  Name domain;
  double before = 0;
  double after = 0;
  double floor = 0;
  bool held = false;
  int64_t restoredStep = 0;
  template <class V>
  void fields(V&& visit) {
    visit("domain", domain);
    visit("before", before);
    visit("after", after);
    visit("floor", floor);
    visit("held", held);
    visit("restoredStep", restoredStep);
  }
};

// What became of a target, on select data; null without any.
struct TargetOutcome {
  std::string domain;
  std::optional<double> before;
  std::optional<double> after;
  std::optional<double> drop;  // of the accuracy before; null where that is 0
  template <class V>
  void fields(V&& visit) {
    visit("domain", domain);
    visit("before", before);
    visit("after", after);
    visit("drop", drop);
  }
};

// The source's, then the targets'; null where there is no select data.
using Accuracies = std::vector<std::optional<double>>;

// Measured once in a run, however often it is resumed.
Accuracies measuredOnce(Job& job, const std::string& key, const std::function<Accuracies()>& measure);

std::vector<TargetOutcome> targetOutcomes(const std::vector<std::shared_ptr<Domain>>& targets,
                                          const Accuracies& before, const Accuracies& after);

// On the domain's select data; null without any.
std::optional<double> selectAccuracy(const Model& model, const Domain& domain, Job& job);

// Into how many parts of equal length so many steps are cut: `most`, or the next fewer that divides them.
int64_t evenParts(int64_t steps, int64_t most);

}  // namespace espalier
