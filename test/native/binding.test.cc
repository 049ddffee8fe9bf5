#include <cmath>

#include "check.h"
#include "methods/evaluate/authorization_binding.h"

using namespace espalier;
using namespace espalier::authorization;

namespace {

PublishedPairs pairs(int64_t both, int64_t onlyFirst, int64_t onlySecond, int64_t neither) {
  PairedAnswers counts;
  counts.both = both;
  counts.onlyFirst = onlyFirst;
  counts.onlySecond = onlySecond;
  counts.neither = neither;
  return PublishedPairs(counts);
}

Value domain(const char* name, int64_t fit, int64_t select) {
  return Value::Map{
      {"name", name},
      {"fit", Value::Map{{"samples", fit}, {"digest", "a"}}},
      {"select", select > 0 ? Value(Value::Map{{"samples", select}, {"digest", "b"}}) : Value()},
      {"report", Value::Map{{"samples", int64_t{7}}, {"digest", "c"}}}};
}

Value entry(Value options, Value inputs) {
  return Value::Map{{"options", std::move(options)}, {"inputs", std::move(inputs)}};
}

}  // namespace

TEST("binding: what a domain lost, with the interval of matched pairs") {
  const DomainChange change = changeOf(pairs(60, 20, 5, 15));
  EXPECT_NEAR(change.before.published(), 0.8, 1e-15);
  EXPECT_NEAR(change.after.published(), 0.65, 1e-15);
  EXPECT_NEAR(change.lost, 0.15, 1e-15);
  EXPECT_NEAR(change.share.value(), 0.15 / 0.8, 1e-15);
  // (20.5 - 5.5) / 102 +- 1.96 sqrt(26 - 15^2 / 102) / 102
  EXPECT_NEAR(change.interval.at(0), 15.0 / 102 - 1.959963984540054 * std::sqrt(26 - 225.0 / 102) / 102,
              1e-8);
  EXPECT_NEAR(change.interval.at(1), 15.0 / 102 + 1.959963984540054 * std::sqrt(26 - 225.0 / 102) / 102,
              1e-8);
}

TEST("binding: an interval stays within what can be lost, and none is left of nothing") {
  const DomainChange all = changeOf(pairs(0, 3, 0, 0));
  EXPECT(all.interval.at(1) <= 1);
  EXPECT(all.interval.at(0) < 1);
  const DomainChange never = changeOf(pairs(0, 0, 0, 10));
  EXPECT(!never.share);
  EXPECT_EQ(never.lost, 0.0);
  EXPECT(never.interval.at(0) < 0 && never.interval.at(1) > 0);
}

TEST("binding: the data that a run needed, from what its manifest says of it") {
  const Value two = Value::Map{{"source", domain("s", 1000, 100)},
                               {"target", Value::List{domain("t", 500, 50), domain("u", 300, 0)}}};
  const DataNeeded plain = dataNeeded(entry(Value::Map{}, two)).value();
  EXPECT_EQ(plain.source, 1100);
  EXPECT_EQ(plain.target, 850);
  EXPECT(plain.targetLabels);
  // Of the fit data a share; one target that is no list; labels of its own making.
  const Value one = Value::Map{{"source", domain("s", 1000, 100)}, {"target", domain("t", 500, 50)}};
  const Value share = Value::Map{{"dataFraction", 0.1}, {"targetLabels", "pseudo"}};
  const DataNeeded part = dataNeeded(entry(share, one)).value();
  EXPECT_EQ(part.source, 200);
  EXPECT_EQ(part.target, 100);
  EXPECT(!part.targetLabels);
  const Value free = Value::Map{{"variant", "sourceFree"}};
  const DataNeeded alone = dataNeeded(entry(free, Value::Map{{"target", domain("t", 500, 50)}})).value();
  EXPECT_EQ(alone.source, 0);
  EXPECT_EQ(alone.target, 550);
  EXPECT(!alone.targetLabels);
  // No target: a mark.
  const DataNeeded mark =
      dataNeeded(entry(Value::Map{}, Value::Map{{"source", domain("s", 1000, 0)}})).value();
  EXPECT_EQ(mark.target, 0);
  EXPECT(!mark.targetLabels);
  EXPECT(!dataNeeded(Value::Map{{"options", Value::Map{}}}));
  EXPECT(!dataNeeded(Value()));
}

TEST("binding: seconds and whether it can be taken back, where anything tells") {
  EXPECT_NEAR(secondsTaken(Value::Map{{"seconds", 1.5}}).value(), 1.5, 0);
  EXPECT(!secondsTaken(Value::Map{}));
  EXPECT(isRevocable("authorize.maskPruning").value());
  EXPECT(isRevocable("authorize.applyMask").value());
  EXPECT(!isRevocable("authorize.nonTransferablePruning").value());
  EXPECT(!isRevocable("authorize.nonTransferableLearning").value());
  EXPECT(!isRevocable("authorize.another"));
}
