#include "core/attack/curve.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "core/error.h"

namespace espalier {

namespace {

void sortCurve(std::vector<CurvePoint>& curve) {
  std::sort(curve.begin(), curve.end(),
            [](const CurvePoint& a, const CurvePoint& b) { return a.samples < b.samples; });
}

std::string gridOf(const std::vector<CurvePoint>& curve) {
  std::string out;
  for (const CurvePoint& point : curve) out += text(out.empty() ? "" : ", ", point.samples);
  return "[" + out + "]";
}

// Area under a sorted curve over ln(samples).
double areaUnder(const std::vector<CurvePoint>& curve) {
  double area = 0;
  for (size_t i = 1; i < curve.size(); ++i) {
    area += (std::log(curve[i].samples) - std::log(curve[i - 1].samples)) *
            (curve[i - 1].accuracy + curve[i].accuracy) / 2;
  }
  return area;
}

}  // namespace

CurveArea compareCurves(std::vector<CurvePoint> first, std::vector<CurvePoint> second) {
  sortCurve(first);
  sortCurve(second);
  const bool equal = std::equal(first.begin(), first.end(), second.begin(), second.end(),
                                [](const auto& a, const auto& b) { return a.samples == b.samples; });
  if (!equal) {
    fail(ErrorCode::kOutOfRange, "expected both learning curves at the same samples, received ",
         gridOf(first), " and ", gridOf(second), ": areas over different axes cannot be compared");
  }
  if (first.size() < 2 || !(first.front().samples > 0) || first.front().samples == first.back().samples) {
    fail(ErrorCode::kOutOfRange,
         "expected at least two different positive numbers of samples for a learning curve, received ",
         gridOf(first));
  }
  CurveArea area;
  area.ln = areaUnder(first) - areaUnder(second);
  area.log10 = area.ln / std::numbers::ln10;
  area.normalized = area.ln / std::log(first.back().samples / first.front().samples);
  return area;
}

Spread spreadOf(std::vector<double> values) {
  Spread spread;
  const auto count = static_cast<double>(values.size());
  spread.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  if (values.size() > 1) spread.deviation = std::sqrt(squares / (count - 1));
  spread.values = std::move(values);
  return spread;
}

}  // namespace espalier
