#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <c10/util/ArrayRef.h>

namespace espalier::kernels {

// How many of each tensor fall when one threshold on the keys (bits of magnitudes, select.h) cuts `cut` of
// all and no tensor loses fewer than `least` or more than `most`: found by bisection. countBelow(key) gives
// how many keys of each tensor are below `key`.
template <class Key, class CountBelow>
std::vector<int64_t> cutsBetween(Key infinity, int64_t cut, c10::ArrayRef<int64_t> least,
                                 c10::ArrayRef<int64_t> most, const CountBelow& countBelow) {
  const auto cutsAt = [&](Key threshold) {
    std::vector<int64_t> cuts = countBelow(threshold);
    for (size_t i = 0; i < cuts.size(); ++i) cuts[i] = std::clamp(cuts[i], least[i], most[i]);
    return cuts;
  };
  const auto sumOf = [](const std::vector<int64_t>& cuts) {
    int64_t sum = 0;
    for (const int64_t count : cuts) sum += count;
    return sum;
  };
  // The largest threshold that does not cut too many; one step above it cuts too many or all that the limits
  // allow.
  Key low = 0;
  Key high = infinity + 1;
  while (low < high) {
    const Key middle = low + (high - low + 1) / 2;
    if (sumOf(cutsAt(middle)) <= cut) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  std::vector<int64_t> cuts = cutsAt(low);
  const std::vector<int64_t> above = cutsAt(low + 1);
  int64_t rest = cut - sumOf(cuts);
  for (size_t i = 0; i < cuts.size(); ++i) {
    const int64_t ties = std::min(rest, above[i] - cuts[i]);
    cuts[i] += ties;
    rest -= ties;
  }
  return cuts;
}

}  // namespace espalier::kernels
