#include "methods/evaluate/authorization_verdict.h"

#include <algorithm>

#include "core/attack/curve.h"

namespace espalier::authorization {

const Reading* readingAt(const Course& course, int64_t steps) {
  for (const Reading& reading : course.readings) {
    if (reading.steps == steps) return &reading;
  }
  return nullptr;
}

bool saysSomething(const Course& scratch, int64_t steps, int64_t classes) {
  const Reading* reading = readingAt(scratch, steps);
  return reading != nullptr && reading->accuracy.interval.at(0) > 2.0 / static_cast<double>(classes);
}

namespace {

// The first reading that is as good as scratch: a bound from above for the steps that it takes.
const Reading* firstWin(const Course& course, const Course& scratch, int64_t steps) {
  const Reading* goal = readingAt(scratch, steps);
  if (goal == nullptr) return nullptr;
  for (const Reading& reading : course.readings) {
    if (reading.accuracy.accuracy >= goal->accuracy.accuracy) return &reading;
  }
  return nullptr;
}

void measureAreas(AttackCurve& curve, const std::vector<Course>& scratch) {
  if (scratch.size() < 2) return;
  for (const Reading& at : scratch.front().readings) {
    std::vector<CurvePoint> attacked;
    std::vector<CurvePoint> fresh;
    for (size_t i = 0; i < scratch.size(); ++i) {
      const Reading* one = readingAt(curve.courses[i], at.steps);
      const Reading* other = readingAt(scratch[i], at.steps);
      if (one == nullptr || other == nullptr) break;
      const auto samples = static_cast<double>(scratch[i].samples);
      attacked.push_back({samples, one->accuracy.accuracy});
      fresh.push_back({samples, other->accuracy.accuracy});
    }
    if (attacked.size() == scratch.size())
      curve.areas.push_back({at.steps, compareCurves(attacked, fresh).ln});
  }
}

}  // namespace

void compareWithScratch(AttackCurve& curve, const std::vector<Course>& scratch, int64_t steps,
                        int64_t classes) {
  for (size_t i = 0; i < curve.courses.size(); ++i) {
    Course& course = curve.courses[i];
    if (!saysSomething(scratch[i], steps, classes)) continue;
    if (const Reading* win = firstWin(course, scratch[i], steps))
      course.costFactor = static_cast<double>(win->steps) / static_cast<double>(steps);
  }
  measureAreas(curve, scratch);
}

std::optional<double> areaAfter(const AttackCurve& curve, int64_t steps) {
  for (const AreaAt& area : curve.areas) {
    if (area.steps == steps) return area.ln;
  }
  return {};
}

Verdict judge(const Report& report, int64_t classes) {
  Verdict verdict;
  for (const Course& course : report.scratch)
    if (saysSomething(course, report.steps, classes)) ++verdict.comparable;
  for (const AttackCurve& curve : report.attacks) {
    for (size_t i = 0; i < curve.courses.size(); ++i) {
      const std::optional<double>& factor = curve.courses[i].costFactor;
      if (!factor || (verdict.cheapest && verdict.cheapest->costFactor <= *factor)) continue;
      const Reading* win = firstWin(curve.courses[i], report.scratch[i], report.steps);
      verdict.cheapest = Win{curve.attack,
                             curve.courses[i].samples,
                             win->steps,
                             win->accuracy.accuracy,
                             readingAt(report.scratch[i], report.steps)->accuracy.accuracy,
                             *factor};
    }
  }
  if (verdict.comparable > 0) verdict.outcome = Outcome::kHolds;
  if (verdict.cheapest)
    verdict.outcome = verdict.cheapest->costFactor > 1 ? Outcome::kDelays : Outcome::kFails;
  return verdict;
}

}  // namespace espalier::authorization
