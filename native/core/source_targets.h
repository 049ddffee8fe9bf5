#pragma once

#include <memory>
#include <optional>
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

// On the domain's select data; null without any.
std::optional<double> selectAccuracy(const Model& model, const Domain& domain, Job& job);

// Into how many parts of equal length so many steps are cut: `most`, or the next fewer that divides them.
int64_t evenParts(int64_t steps, int64_t most);

}  // namespace espalier
