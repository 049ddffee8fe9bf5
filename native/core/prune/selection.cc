#include "core/prune/selection.h"

#include <atomic>
#include <bit>

#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"

namespace espalier {

namespace {

// A float that is not negative orders as its bits do, so thresholds are found by bisection on integers:
// exact, without a sort, without memory.
using Key = uint64_t;
constexpr int64_t kGrain = 65536;

struct Keys {
  std::vector<Key> values;
  Key largest = 0;
};

Keys keysOf(const ScoreGroup& group) {
  const at::Tensor scores = group.scores.detach().cpu().to(at::kDouble).contiguous();
  if (scores.isnan().any().item<bool>()) {
    fail(ErrorCode::kModelUnsupported, "expected numbers in ", group.name,
         ", found NaN: its weights cannot be ranked; repair or retrain the model");
  }
  Keys keys;
  keys.values.resize(static_cast<size_t>(scores.numel()));
  const double* source = scores.const_data_ptr<double>();
  for (size_t i = 0; i < keys.values.size(); ++i) {
    keys.values[i] = std::bit_cast<Key>(source[i] + 0.0);  // +0.0 turns a negative zero into zero
    keys.largest = std::max(keys.largest, keys.values[i]);
  }
  return keys;
}

int64_t countBelow(const Keys& keys, Key threshold) {
  std::atomic<int64_t> total{0};
  at::parallel_for(0, static_cast<int64_t>(keys.values.size()), kGrain, [&](int64_t begin, int64_t end) {
    int64_t count = 0;
    for (int64_t i = begin; i < end; ++i) count += keys.values[static_cast<size_t>(i)] < threshold ? 1 : 0;
    total += count;
  });
  return total;
}

// The largest threshold for which `total` is at most `count`; total(0) must be.
template <class Total>
Key bisect(Key largest, int64_t count, const Total& total) {
  Key low = 0;
  Key high = largest + 1;
  while (low < high) {
    const Key middle = low + (high - low + 1) / 2;
    if (total(middle) <= count) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

at::Tensor cutLowest(const ScoreGroup& group, const Keys& keys, int64_t count) {
  const Key threshold = bisect(keys.largest, count, [&](Key key) { return countBelow(keys, key); });
  int64_t ties = count - countBelow(keys, threshold);
  at::Tensor kept = torch::empty(group.scores.sizes(), at::kBool);
  bool* out = kept.mutable_data_ptr<bool>();
  for (size_t i = 0; i < keys.values.size(); ++i) {
    const bool tie = keys.values[i] == threshold && ties > 0;
    ties -= tie ? 1 : 0;
    out[i] = keys.values[i] >= threshold && !tie;
  }
  return kept;
}

}  // namespace

std::vector<at::Tensor> keepHighest(const std::vector<ScoreGroup>& groups, int64_t count) {
  int64_t lowest = 0;
  int64_t highest = 0;
  std::vector<Keys> keys;
  Key largest = 0;
  for (const ScoreGroup& group : groups) {
    if (group.lowest > group.highest) {
      fail(ErrorCode::kTargetUnreachable, "expected at least ", group.lowest, " and at most ", group.highest,
           " to be cut of ", group.name, ": no number is both; lower the floor or raise the ceiling");
    }
    lowest += group.lowest;
    highest += group.highest;
    keys.push_back(keysOf(group));
    largest = std::max(largest, keys.back().largest);
  }
  if (count < lowest || count > highest) {
    fail(ErrorCode::kTargetUnreachable, "expected to cut ", count,
         ", but the floors and ceilings of the layers allow ", lowest, " to ", highest,
         ": change the sparsity, the floor or the ceiling");
  }
  const auto cutAt = [&](size_t i, Key threshold) {
    return std::clamp(countBelow(keys[i], threshold), groups[i].lowest, groups[i].highest);
  };
  const Key threshold = bisect(largest, count, [&](Key key) {
    int64_t total = 0;
    for (size_t i = 0; i < groups.size(); ++i) total += cutAt(i, key);
    return total;
  });
  std::vector<int64_t> cuts;
  int64_t rest = count;
  for (size_t i = 0; i < groups.size(); ++i) {
    cuts.push_back(cutAt(i, threshold));
    rest -= cuts.back();
  }
  std::vector<at::Tensor> kept;
  for (size_t i = 0; i < groups.size(); ++i) {
    const int64_t ties = std::min(rest, cutAt(i, threshold + 1) - cuts[i]);
    rest -= ties;
    kept.push_back(cutLowest(groups[i], keys[i], cuts[i] + ties));
  }
  return kept;
}

at::Tensor keepHighestOfEach(const at::Tensor& scores, int64_t n, int64_t m) {
  const at::Tensor groups = scores.detach().cpu().contiguous().reshape({-1, m});
  // Ascending and stable: of equal scores the first is cut first.
  const at::Tensor order =
      std::get<1>(at::sort(groups, /*stable=*/std::optional<bool>(true), 1, /*descending=*/false));
  at::Tensor kept = torch::ones(groups.sizes(), at::kBool);
  kept.scatter_(1, order.narrow(1, 0, m - n), false);
  return kept.reshape(scores.sizes());
}

}  // namespace espalier
