#pragma once

#include <string>
#include <vector>

#include <torch/types.h>

#include "core/fields.h"

namespace espalier {

// Whether all weights compete, or each loses the same share.
enum class PruningScope { kGlobal, kLayer };
template <>
struct EnumNames<PruningScope> {
  static constexpr EnumName<PruningScope> kNames[] = {{PruningScope::kGlobal, "global"},
                                                      {PruningScope::kLayer, "layer"}};
};

// Scores that compete with each other: of a layer's weights, or of its channels.
struct ScoreGroup {
  std::string name;     // for messages: the layer's weight
  at::Tensor scores;    // not negative; any float type, any shape
  int64_t lowest = 0;   // how many must be cut at least
  int64_t highest = 0;  // how many may be cut at most
};

// Cuts exactly `count` of all scores, the lowest first; of equal scores the first in order of groups and
// index is cut first, so the result is the same on every device and with any number of threads. Returns a
// boolean tensor a group, true where kept, on the CPU. NaN is ERR_MODEL_UNSUPPORTED that names the group;
// a count that the limits do not allow is ERR_TARGET_UNREACHABLE.
std::vector<at::Tensor> keepHighest(const std::vector<ScoreGroup>& groups, int64_t count);

// The same for a share of them, rounded: of all scores together, or of each group by itself.
std::vector<at::Tensor> keepHighestShare(const std::vector<ScoreGroup>& groups, double cut,
                                         PruningScope scope);

// Keeps the `n` highest of every `m` neighbours along the last dimension, whose size must be a multiple of m;
// of equal ones the first is cut first. NaN is ERR_MODEL_UNSUPPORTED that names `name`.
at::Tensor keepHighestOfEach(const std::string& name, const at::Tensor& scores, int64_t n, int64_t m);

}  // namespace espalier
