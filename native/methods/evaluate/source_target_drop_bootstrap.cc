#include "methods/evaluate/source_target_drop_bootstrap.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"

namespace espalier::drop {

namespace {

// As many samples as there are, with replacement. A sample counts for nothing but who was right on it, and
// integers alone decide: the same on every machine.
PairedAnswers resample(const PairedAnswers& pairs, SplitMix64& random) {
  const auto samples = static_cast<uint64_t>(pairs.samples());
  const auto both = static_cast<uint64_t>(pairs.both);
  const auto first = both + static_cast<uint64_t>(pairs.onlyFirst);
  const auto either = first + static_cast<uint64_t>(pairs.onlySecond);
  int64_t inBoth = 0;
  int64_t inFirst = 0;
  int64_t inEither = 0;
  for (uint64_t i = 0; i < samples; ++i) {
    const uint64_t drawn = random.below(samples);
    inBoth += static_cast<int64_t>(drawn < both);
    inFirst += static_cast<int64_t>(drawn < first);
    inEither += static_cast<int64_t>(drawn < either);
  }
  return {inBoth, inFirst - inBoth, inEither - inFirst, pairs.samples() - inEither};
}

Figure meanOf(const std::vector<Figure>& all) {
  double sum = 0;
  for (const Figure& figure : all) {
    if (!figure) return std::nullopt;
    sum += *figure;
  }
  return sum / static_cast<double>(all.size());
}

// Between the two nearest of them, linearly.
double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Figure dropOf(const PairedAnswers& pairs) {
  const int64_t right = pairs.first().right;
  if (right == 0) return std::nullopt;
  return static_cast<double>(pairs.onlyFirst - pairs.onlySecond) / static_cast<double>(right);
}

Figure ratioOf(const Figure& source, const Figure& target) {
  if (!source || !target || std::abs(*target) < kSmallestDrop) return std::nullopt;
  return *source / *target;
}

Bootstrapped bootstrapDrop(const PairedAnswers& pairs, int64_t resamples, uint64_t seed,
                           const std::function<void()>& tick) {
  SplitMix64 random(seed);
  Bootstrapped drop{dropOf(pairs), {}};
  for (int64_t i = 0; i < resamples; ++i) {
    tick();
    drop.resampled.push_back(dropOf(resample(pairs, random)));
  }
  return drop;
}

Bootstrapped ratioOf(const Bootstrapped& source, const Bootstrapped& target) {
  Bootstrapped ratio{ratioOf(source.value, target.value), {}};
  for (size_t i = 0; i < source.resampled.size(); ++i)
    ratio.resampled.push_back(ratioOf(source.resampled[i], target.resampled[i]));
  return ratio;
}

Bootstrapped meanOf(const std::vector<Bootstrapped>& all) {
  std::vector<Figure> values(all.size());
  const auto meanAt = [&](const auto& figureOf) {
    std::transform(all.begin(), all.end(), values.begin(), figureOf);
    return meanOf(values);
  };
  Bootstrapped mean{meanAt([](const Bootstrapped& one) { return one.value; }), {}};
  for (size_t i = 0; i < all.front().resampled.size(); ++i)
    mean.resampled.push_back(meanAt([i](const Bootstrapped& one) { return one.resampled[i]; }));
  return mean;
}

Estimate estimateOf(const Bootstrapped& figure) {
  Estimate estimate{figure.value, std::nullopt};
  std::vector<double> sorted;
  for (const Figure& resampled : figure.resampled) {
    if (resampled) sorted.push_back(*resampled);
  }
  const auto resamples = static_cast<double>(figure.resampled.size());
  const double missing = resamples - static_cast<double>(sorted.size());
  if (!figure.value || sorted.empty() || missing > kMostMissing * resamples) return estimate;
  std::sort(sorted.begin(), sorted.end());
  estimate.interval = {quantile(sorted, 0.025), quantile(sorted, 0.975)};
  return estimate;
}

}  // namespace espalier::drop
