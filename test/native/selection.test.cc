#include "core/prune/selection.h"

#include <cmath>
#include <limits>

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/random.h"

using namespace espalier;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

ScoreGroup group(const at::Tensor& scores, double floor = 0, double ceiling = 1) {
  const auto size = static_cast<double>(scores.numel());
  return {"layer", scores, static_cast<int64_t>(std::ceil(floor * size)),
          static_cast<int64_t>(std::floor(ceiling * size))};
}

// The definition: a stable sort by (score, group, index).
std::vector<at::Tensor> bySorting(const std::vector<ScoreGroup>& groups, int64_t count) {
  std::vector<at::Tensor> flat;
  for (const ScoreGroup& each : groups) flat.push_back(each.scores.reshape({-1}).to(at::kDouble));
  const at::Tensor all = torch::cat(flat);
  const at::Tensor order = std::get<1>(at::sort(all, /*stable=*/std::optional<bool>(true), 0, false));
  at::Tensor kept = torch::ones({all.numel()}, at::kBool);
  kept.index_fill_(0, order.narrow(0, 0, count), false);
  std::vector<at::Tensor> out;
  int64_t at = 0;
  for (const ScoreGroup& each : groups) {
    out.push_back(kept.narrow(0, at, each.scores.numel()).reshape(each.scores.sizes()));
    at += each.scores.numel();
  }
  return out;
}

// Many ties, zeros and infinities; sizes from nothing to a few hundred.
std::vector<ScoreGroup> randomGroups(SplitMix64& random) {
  std::vector<ScoreGroup> groups;
  const uint64_t layers = 1 + random.below(4);
  for (uint64_t i = 0; i < layers; ++i) {
    const auto size = static_cast<int64_t>(random.below(300));
    at::Tensor scores = torch::empty({size}, random.below(2) == 0 ? at::kFloat : at::kDouble);
    const uint64_t levels = 1 + random.below(12);
    for (int64_t k = 0; k < size; ++k) {
      const uint64_t draw = random.below(20);
      const double value = draw == 0   ? kInfinity
                           : draw == 1 ? -0.0
                                       : static_cast<double>(random.below(levels)) * 0.125;
      scores.index_put_({k}, value);
    }
    groups.push_back(group(scores));
  }
  return groups;
}

}  // namespace

TEST("selection: cuts exactly the count, ties by order, whatever the weights") {
  SplitMix64 random(1);
  for (int round = 0; round < 300; ++round) {
    const std::vector<ScoreGroup> groups = randomGroups(random);
    int64_t all = 0;
    for (const ScoreGroup& each : groups) all += each.scores.numel();
    const auto count = static_cast<int64_t>(random.below(static_cast<uint64_t>(all) + 1));
    const auto kept = keepHighest(groups, count);
    const auto expected = bySorting(groups, count);
    int64_t cut = 0;
    for (size_t i = 0; i < groups.size(); ++i) {
      EXPECT(kept[i].equal(expected[i]));
      cut += kept[i].logical_not().sum().item<int64_t>();
    }
    EXPECT_EQ(cut, count);
  }
}

TEST("selection: floors and ceilings hold, and the count stays exact") {
  SplitMix64 random(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<ScoreGroup> groups = randomGroups(random);
    int64_t lowest = 0;
    int64_t highest = 0;
    for (ScoreGroup& each : groups) {
      const double floor = random.uniform() * 0.5;
      each = group(each.scores, floor, floor + random.uniform() * (1 - floor));
      if (each.lowest > each.highest) each.lowest = each.highest;
      lowest += each.lowest;
      highest += each.highest;
    }
    const auto count =
        lowest + static_cast<int64_t>(random.below(static_cast<uint64_t>(highest - lowest) + 1));
    const auto kept = keepHighest(groups, count);
    int64_t cut = 0;
    for (size_t i = 0; i < groups.size(); ++i) {
      const auto here = kept[i].logical_not().sum().item<int64_t>();
      EXPECT(here >= groups[i].lowest && here <= groups[i].highest);
      cut += here;
    }
    EXPECT_EQ(cut, count);
    EXPECT(ERROR_OF(keepHighest(groups, highest + 1)).code() == ErrorCode::kTargetUnreachable);
    if (lowest > 0) EXPECT(ERROR_OF(keepHighest(groups, lowest - 1)).code() == ErrorCode::kTargetUnreachable);
  }
}

TEST("selection: what cannot be ranked is named") {
  at::Tensor scores = torch::ones({10});
  scores.index_put_({3}, std::nan(""));
  ScoreGroup bad = group(scores);
  bad.name = "features.0.weight";
  const Error error = ERROR_OF(keepHighest({bad}, 2));
  EXPECT(error.code() == ErrorCode::kModelUnsupported);
  EXPECT(error.message().find("features.0.weight") != std::string::npos);
}

TEST("selection: n of every m, the first of equals cut first") {
  const at::Tensor scores = torch::tensor({{1.0, 1.0, 1.0, 1.0}, {3.0, 1.0, 2.0, 4.0}});
  const at::Tensor kept = keepHighestOfEach("w", scores, 2, 4);
  EXPECT(kept.equal(torch::tensor({{false, false, true, true}, {true, false, false, true}})));
}

TEST("selection: the result does not depend on the number of threads") {
  const at::Tensor scores = torch::randn({500000}).abs();
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = keepHighest({group(scores)}, 450001).front();
  at::set_num_threads(2);
  const at::Tensor two = keepHighest({group(scores)}, 450001).front();
  at::set_num_threads(before);
  EXPECT(one.equal(two));
  EXPECT_EQ(one.sum().item<int64_t>(), 49999);
}
