#include "core/attack/curve.h"

#include "check.h"
#include "core/error.h"

using namespace espalier;

static bool isRefused(const std::vector<CurvePoint>& first, const std::vector<CurvePoint>& second) {
  return ERROR_OF(compareCurves(first, second)).code() == ErrorCode::kOutOfRange;
}

TEST("curve: the area between a curve and itself is zero") {
  const std::vector<CurvePoint> curve = {{15, 0.2}, {60, 0.5}, {1000, 0.9}};
  const CurveArea area = compareCurves(curve, curve);
  EXPECT_NEAR(area.ln, 0, 1e-15);
  EXPECT_NEAR(area.normalized, 0, 1e-15);
}

TEST("curve: a full gap over three decades is ln 1000, three decades, and one when normalised") {
  const CurveArea area = compareCurves({{0.001, 1}, {1, 1}}, {{0.001, 0}, {1, 0}});
  EXPECT_NEAR(area.ln, 6.907755278982137, 1e-12);
  EXPECT_NEAR(area.log10, 3, 1e-12);
  EXPECT_NEAR(area.normalized, 1, 1e-12);
}

TEST("curve: trapezoids by hand, whatever the order of the points") {
  const std::vector<CurvePoint> first = {{10, 0.4}, {1, 0.2}, {1000, 0.8}};
  const std::vector<CurvePoint> second = {{1000, 0.5}, {10, 0.5}, {1, 0.5}};
  // One decade at a mean gap of -0.2, two at 0.1.
  EXPECT_NEAR(compareCurves(first, second).log10, -0.2 + 2 * 0.1, 1e-12);
}

TEST("curve: unequal grids and a single point are refused") {
  const std::vector<CurvePoint> curve = {{1, 0.2}, {10, 0.4}};
  EXPECT(isRefused(curve, {{1, 0.2}, {20, 0.4}}));
  EXPECT(isRefused(curve, {{1, 0.2}, {10, 0.4}, {20, 0.4}}));
  EXPECT(isRefused({{1, 0.2}}, {{1, 0.2}}));
}

TEST("curve: spread is the deviation of a sample") {
  const Spread spread = spreadOf({1, 2, 3, 4});
  EXPECT_NEAR(spread.mean, 2.5, 1e-15);
  EXPECT_NEAR(spread.deviation, 1.2909944487358056, 1e-12);
  EXPECT_NEAR(spreadOf({0.7}).deviation, 0, 1e-15);
}
