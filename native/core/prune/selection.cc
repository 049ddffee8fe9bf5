#include "core/prune/selection.h"

#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "kernels/ops.h"

namespace espalier {

namespace {

// The kernels rank values of one type.
kernels::Tensors scoresOf(const std::vector<ScoreGroup>& groups) {
  bool mixed = false;
  for (const ScoreGroup& group : groups)
    mixed = mixed || group.scores.scalar_type() != groups[0].scores.scalar_type();
  kernels::Tensors scores;
  for (const ScoreGroup& group : groups) {
    const at::Tensor values = group.scores.detach();
    scores.push_back(mixed ? values.to(at::kDouble) : values);
  }
  return scores;
}

// The kernels look for NaN on their way; only where they found one is it looked for by name.
template <class Select>
kernels::Tensors ranked(const std::vector<ScoreGroup>& groups, const Select& select) {
  try {
    kernels::Tensors kept = select(scoresOf(groups));
    for (at::Tensor& mask : kept) mask = mask.cpu();
    return kept;
  } catch (const c10::Error&) {
    for (const ScoreGroup& group : groups) {
      if (!group.scores.isnan().any().item<bool>()) continue;
      fail(ErrorCode::kModelUnsupported, "expected numbers in ", group.name,
           ", found NaN: its weights cannot be ranked; repair or retrain the model");
    }
    throw;
  }
}

void checkLimits(const std::vector<ScoreGroup>& groups, int64_t count) {
  int64_t lowest = 0;
  int64_t highest = 0;
  for (const ScoreGroup& group : groups) {
    if (group.lowest > group.highest) {
      fail(ErrorCode::kTargetUnreachable, "expected at least ", group.lowest, " and at most ", group.highest,
           " to be cut of ", group.name, ": no number is both; lower the floor or raise the ceiling");
    }
    lowest += group.lowest;
    highest += group.highest;
  }
  if (count < lowest || count > highest) {
    fail(ErrorCode::kTargetUnreachable, "expected to cut ", count,
         ", but the floors and ceilings of the layers allow ", lowest, " to ", highest,
         ": change the sparsity, the floor or the ceiling");
  }
}

}  // namespace

std::vector<at::Tensor> keepHighest(const std::vector<ScoreGroup>& groups, int64_t count) {
  checkLimits(groups, count);
  std::vector<int64_t> least;
  std::vector<int64_t> most;
  for (const ScoreGroup& group : groups) {
    least.push_back(group.lowest);
    most.push_back(group.highest);
  }
  return ranked(groups, [&](const kernels::Tensors& scores) {
    return kernels::selectLowestBetween(scores, count, least, most);
  });
}

std::vector<at::Tensor> keepHighestShare(const std::vector<ScoreGroup>& groups, double cut,
                                         PruningScope scope) {
  const auto countOf = [&](int64_t scores) { return std::llround(static_cast<double>(scores) * cut); };
  if (scope == PruningScope::kGlobal) {
    int64_t all = 0;
    for (const ScoreGroup& group : groups) all += group.scores.numel();
    return keepHighest(groups, countOf(all));
  }
  std::vector<at::Tensor> kept;
  for (const ScoreGroup& group : groups)
    kept.push_back(keepHighest({group}, countOf(group.scores.numel())).front());
  return kept;
}

at::Tensor keepHighestOfEach(const std::string& name, const at::Tensor& scores, int64_t n, int64_t m) {
  const std::vector<ScoreGroup> group = {{name, scores, 0, 0}};
  return ranked(group,
                [&](const kernels::Tensors& tensors) { return kernels::selectNOfM(tensors, n, m); })[0];
}

}  // namespace espalier
