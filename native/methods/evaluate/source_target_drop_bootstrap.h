#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/metrics.h"

// Drops and their ratios, of the samples as they are and of resamples of them.
namespace espalier::drop {

using Figure = std::optional<double>;

// A target that loses less than this share has no ratio: it would be a quotient of two noises.
constexpr double kSmallestDrop = 0.01;
// More resamples without a figure than this share, and its interval is left out.
constexpr double kMostMissing = 0.05;

struct Estimate {
  Figure value;
  std::optional<std::vector<double>> interval;  // 95 %, percentiles of the bootstrap
  template <class V>
  void fields(V&& visit) {
    visit("value", value);
    visit("interval", interval);
  }
};

struct Bootstrapped {
  Figure value;
  std::vector<Figure> resampled;
};

// What the second model lost of the first one's accuracy; null where that is 0.
Figure dropOf(const PairedAnswers& pairs);
// Null where either is, or the target's is nearer to 0 than kSmallestDrop.
Figure ratioOf(const Figure& source, const Figure& target);

// `tick` is called once a resample, and may throw.
Bootstrapped bootstrapDrop(const PairedAnswers& pairs, int64_t resamples, uint64_t seed,
                           const std::function<void()>& tick);
Bootstrapped ratioOf(const Bootstrapped& source, const Bootstrapped& target);
// Null where any is.
Bootstrapped meanOf(const std::vector<Bootstrapped>& all);

Estimate estimateOf(const Bootstrapped& figure);

}  // namespace espalier::drop
