#include "check.h"
#include "core/random.h"
#include "methods/evaluate/source_target_drop_bootstrap.h"

using namespace espalier;
using namespace espalier::drop;

namespace {

const auto kNothing = [] {};

Bootstrapped bootstrapped(const PairedAnswers& pairs, uint64_t seed = 1, int64_t resamples = 1000) {
  return bootstrapDrop(pairs, resamples, seed, kNothing);
}

bool close(const Figure& figure, double value) { return figure && std::abs(*figure - value) < 1e-12; }

std::vector<double> intervalOf(const Bootstrapped& figure) { return estimateOf(figure).interval.value(); }

}  // namespace

TEST("source-target drop: drops by hand") {
  EXPECT(close(dropOf({60, 20, 5, 15}), 15.0 / 80));
  // Gained: 5 lost, 20 more right.
  EXPECT(close(dropOf({60, 5, 20, 15}), -15.0 / 65));
  EXPECT(close(dropOf({0, 40, 0, 60}), 1));
  EXPECT(!dropOf({0, 0, 30, 70}));
}

TEST("source-target drop: ratios by hand, and where there are none") {
  EXPECT(close(ratioOf(Figure(0.02), Figure(0.4)), 0.05));
  EXPECT(close(ratioOf(Figure(-0.02), Figure(0.4)), -0.05));
  EXPECT(close(ratioOf(Figure(0.02), Figure(-0.4)), -0.05));
  EXPECT(close(ratioOf(Figure(0.0), Figure(0.01)), 0));
  EXPECT(!ratioOf(Figure(0.02), Figure(0.00999)));
  EXPECT(!ratioOf(Figure(0.02), Figure(-0.00999)));
  EXPECT(!ratioOf(Figure(), Figure(0.4)));
  EXPECT(!ratioOf(Figure(0.02), Figure()));
  // One sample of a hundred is 0.01, whatever rounding does.
  EXPECT(close(ratioOf(dropOf({97, 3, 0, 0}), dropOf({99, 1, 0, 0})), 3));
}

TEST("source-target drop: both means of several targets, null where one is") {
  const Bootstrapped source = {0.1, {0.1, 0.2}};
  const Bootstrapped strong = {0.8, {0.8, 0.4}};
  const Bootstrapped weak = {0.2, {0.2, Figure()}};
  const Bootstrapped mean = meanOf({strong, weak});
  EXPECT(close(mean.value, 0.5));
  EXPECT(close(mean.resampled[0], 0.5) && !mean.resampled[1]);
  EXPECT(close(ratioOf(source, mean).value, 0.2));
  EXPECT(close(meanOf({ratioOf(source, strong), ratioOf(source, weak)}).value, (0.125 + 0.5) / 2));
  const Bootstrapped none = {0.001, {0.001, 0.001}};
  EXPECT(!meanOf({ratioOf(source, strong), ratioOf(source, none)}).value);
  EXPECT(close(ratioOf(source, meanOf({strong, none})).value, 0.1 / 0.4005));
}

TEST("source-target drop: the interval ends at the percentiles, and is left out with more than 5 % missing") {
  Bootstrapped figure = {0.5, {}};
  for (int64_t i = 200; i >= 0; --i) figure.resampled.push_back(static_cast<double>(i));
  EXPECT_NEAR(intervalOf(figure)[0], 5, 1e-12);
  EXPECT_NEAR(intervalOf(figure)[1], 195, 1e-12);
  for (size_t i = 0; i < 10; ++i) figure.resampled[i] = std::nullopt;
  EXPECT_NEAR(intervalOf(figure)[1], 0.975 * 190, 1e-12);
  figure.resampled[10] = std::nullopt;
  EXPECT(!estimateOf(figure).interval);
  figure.resampled.assign(201, 1.0);
  figure.value = std::nullopt;
  EXPECT(!estimateOf(figure).interval);
}

TEST("source-target drop: a target near the least drop has a ratio and no interval") {
  const Bootstrapped source = bootstrapped({900, 50, 0, 50});
  const Bootstrapped ratio = ratioOf(source, bootstrapped({890, 10, 0, 100}, 2));
  EXPECT(ratio.value.has_value());
  EXPECT(!estimateOf(ratio).interval);
  EXPECT(estimateOf(ratioOf(source, bootstrapped({400, 500, 0, 100}, 2))).interval.has_value());
}

TEST("source-target drop: a seed gives the same interval on every machine, another seed another") {
  const PairedAnswers pairs = {700, 150, 20, 130};
  EXPECT(bootstrapped(pairs).resampled == bootstrapped(pairs).resampled);
  EXPECT(bootstrapped(pairs).resampled != bootstrapped(pairs, 2).resampled);
  int64_t ticks = 0;
  const Bootstrapped drop = bootstrapDrop(pairs, 1000, 1, [&] { ++ticks; });
  EXPECT(ticks == 1000);
  // As the same two generators in Python's integers have it.
  EXPECT_NEAR(intervalOf(drop)[0], 0.12659399428340787, 1e-12);
  EXPECT_NEAR(intervalOf(drop)[1], 0.17980725386174182, 1e-12);
}

TEST("source-target drop: models are resampled together") {
  // Each has its accuracy to within 2.6 points of 20; where they differ is known to 0.6.
  const Bootstrapped drop = bootstrapped({200, 10, 0, 790}, 3, 4000);
  const std::vector<double> interval = intervalOf(drop);
  EXPECT(interval[0] > 0.02 && interval[0] < 0.025);
  EXPECT(interval[1] > 0.07 && interval[1] < 0.08);
  // The same answers are no drop in any resample.
  EXPECT(intervalOf(bootstrapped({500, 0, 0, 500})) == (std::vector<double>{0, 0}));
}

TEST("source-target drop: the interval covers the true drop, and the true ratio, as often as it says") {
  constexpr int64_t kSamples = 400;
  constexpr int64_t kTrials = 400;
  SplitMix64 random(5);
  // A population: shares of both, the first alone, the second alone.
  const auto draw = [&](double both, double onlyFirst, double onlySecond) {
    PairedAnswers pairs;
    for (int64_t i = 0; i < kSamples; ++i) {
      const double at = random.uniform();
      if (at < both) {
        ++pairs.both;
      } else if (at < both + onlyFirst) {
        ++pairs.onlyFirst;
      } else if (at < both + onlyFirst + onlySecond) {
        ++pairs.onlySecond;
      } else {
        ++pairs.neither;
      }
    }
    return pairs;
  };
  const double trueSource = (0.08 - 0.02) / (0.8 + 0.08);
  const double trueTarget = (0.4 - 0.05) / (0.3 + 0.4);
  int64_t drops = 0;
  int64_t ratios = 0;
  const auto covers = [](const std::vector<double>& interval, double value) {
    return interval[0] <= value && value <= interval[1];
  };
  for (uint64_t trial = 0; trial < kTrials; ++trial) {
    const Bootstrapped source = bootstrapped(draw(0.8, 0.08, 0.02), 2 * trial, 400);
    const Bootstrapped target = bootstrapped(draw(0.3, 0.4, 0.05), 2 * trial + 1, 400);
    drops += static_cast<int64_t>(covers(intervalOf(source), trueSource));
    ratios += static_cast<int64_t>(covers(intervalOf(ratioOf(source, target)), trueSource / trueTarget));
  }
  // 380 of 400, give or take three standard deviations and the resamples' own noise.
  EXPECT(drops >= 364 && drops <= 394);
  EXPECT(ratios >= 364 && ratios <= 394);
}
