#include "check.h"
#include "methods/evaluate/authorization_verdict.h"

using namespace espalier;
using namespace espalier::authorization;

namespace {

constexpr int64_t kClasses = 10;
constexpr int64_t kSteps = 100;

Reading reading(int64_t steps, double accuracy) {
  Reading result;
  result.steps = steps;
  result.accuracy.accuracy = accuracy;
  result.accuracy.interval = {accuracy - 0.02, accuracy + 0.02};
  return result;
}

Course course(int64_t samples, const std::vector<std::pair<int64_t, double>>& readings) {
  Course result;
  result.samples = samples;
  for (const auto& [steps, accuracy] : readings) result.readings.push_back(reading(steps, accuracy));
  return result;
}

// Two sizes; an attack is given by its accuracy on either after 50, 100 and 500 steps.
Report judged(const std::vector<std::vector<double>>& small, const std::vector<std::vector<double>>& large,
              double scratchOnSmall = 0.5) {
  Report report;
  report.steps = kSteps;
  report.scratch = {course(10, {{50, 0.3}, {100, scratchOnSmall}, {500, 0.6}}),
                    course(1000, {{50, 0.5}, {100, 0.8}, {500, 0.9}})};
  for (size_t i = 0; i < small.size(); ++i) {
    AttackCurve curve;
    curve.attack = i == 0 ? Attack::kFineTune : Attack::kReleaseMask;
    curve.courses = {course(10, {{50, small[i][0]}, {100, small[i][1]}, {500, small[i][2]}}),
                     course(1000, {{50, large[i][0]}, {100, large[i][1]}, {500, large[i][2]}})};
    compareWithScratch(curve, report.scratch, kSteps, kClasses);
    report.attacks.push_back(curve);
  }
  report.verdict = judge(report, kClasses);
  return report;
}

}  // namespace

TEST("verdict: holds where no attack has what scratch has within the grid") {
  const Report report = judged({{0.1, 0.2, 0.49}}, {{0.1, 0.3, 0.79}});
  EXPECT(report.verdict.outcome == Outcome::kHolds);
  EXPECT(!report.verdict.cheapest);
  EXPECT_EQ(report.verdict.comparable, 2);
  EXPECT(!report.attacks[0].courses[0].costFactor);
}

TEST("verdict: delays where the cheapest attack takes more steps than scratch") {
  const Report report = judged({{0.1, 0.2, 0.49}, {0.1, 0.3, 0.5}}, {{0.1, 0.3, 0.79}, {0.2, 0.4, 0.7}});
  EXPECT(report.verdict.outcome == Outcome::kDelays);
  const Win& cheapest = report.verdict.cheapest.value();
  EXPECT(cheapest.attack == Attack::kReleaseMask);
  EXPECT_EQ(cheapest.samples, 10);
  EXPECT_EQ(cheapest.steps, 500);
  EXPECT_NEAR(cheapest.costFactor, 5, 1e-12);
}

TEST("verdict: fails where an attack is as good in as many steps or fewer, which is the cheapest") {
  const Report report = judged({{0.1, 0.5, 0.6}}, {{0.8, 0.85, 0.9}});
  EXPECT(report.verdict.outcome == Outcome::kFails);
  EXPECT_NEAR(report.attacks[0].courses[0].costFactor.value(), 1, 1e-12);
  EXPECT_NEAR(report.attacks[0].courses[1].costFactor.value(), 0.5, 1e-12);
  EXPECT_EQ(report.verdict.cheapest.value().samples, 1000);
}

TEST("verdict: where scratch itself is near a guess nothing is won by reaching it") {
  // The lower end of its interval is 0.19, less than twice a guess.
  const Report report = judged({{0.3, 0.4, 0.5}}, {{0.1, 0.3, 0.5}}, 0.21);
  EXPECT(report.verdict.outcome == Outcome::kHolds);
  EXPECT_EQ(report.verdict.comparable, 1);
}

TEST("verdict: areas are those of the readings that both have, at every number of steps") {
  const Report report = judged({{0.2, 0.3, 0.5}}, {{0.3, 0.4, 0.8}});
  const std::vector<AreaAt>& areas = report.attacks[0].areas;
  EXPECT_EQ(areas.size(), 3U);
  // ln(100) times the mean gap of both sizes.
  EXPECT_NEAR(areas[0].ln, std::log(100) * (-0.1 - 0.2) / 2, 1e-12);
  EXPECT_NEAR(areaAfter(report.attacks[0], kSteps).value(), std::log(100) * (-0.2 - 0.4) / 2, 1e-12);
  EXPECT(!areaAfter(report.attacks[0], 70));
}
