#include "core/data/selection.h"

#include <cmath>
#include <cstring>
#include <numeric>

#include "core/error.h"
#include "core/random.h"

namespace espalier {

namespace {

// Fisher-Yates.
std::vector<int64_t> shuffled(int64_t count, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  SplitMix64 random(seed);
  for (size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[random.below(left)]);
  return order;
}

at::Tensor toTensor(const std::vector<int64_t>& positions) {
  at::Tensor out = at::empty({static_cast<int64_t>(positions.size())}, at::kLong);
  std::copy(positions.begin(), positions.end(), out.data_ptr<int64_t>());
  return out;
}

at::Tensor sorted(std::vector<int64_t> positions) {
  std::sort(positions.begin(), positions.end());
  return toTensor(positions);
}

// How many samples each class gets: its share rounded down, the rest to the largest remainders, which are
// whole numbers here; ties in an order drawn by `seed`.
std::vector<int64_t> shares(const std::vector<int64_t>& sizes, int64_t total, int64_t count, uint64_t seed) {
  std::vector<int64_t> quota(sizes.size()), remainder(sizes.size());
  int64_t left = count;
  for (size_t c = 0; c < sizes.size(); ++c) {
    __extension__ using Wide = __int128;
    const Wide product = static_cast<Wide>(count) * sizes[c];
    quota[c] = static_cast<int64_t>(product / total);
    remainder[c] = static_cast<int64_t>(product % total);
    left -= quota[c];
  }
  std::vector<int64_t> order = shuffled(static_cast<int64_t>(sizes.size()), seed);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return remainder[static_cast<size_t>(a)] > remainder[static_cast<size_t>(b)];
  });
  for (int64_t i = 0; i < left; ++i) ++quota[static_cast<size_t>(order[static_cast<size_t>(i)])];
  return quota;
}

}  // namespace

at::Tensor permutation(int64_t count, uint64_t seed) { return toTensor(shuffled(count, seed)); }

std::vector<at::Tensor> splitPositions(int64_t count, const std::vector<double>& fractions, uint64_t seed) {
  constexpr double kRounding = 1e-9;  // 0.1 + 0.2 + 0.7 is not 1
  double sum = 0;
  for (const double fraction : fractions) {
    if (!(fraction > 0 && fraction <= 1)) {
      fail(ErrorCode::kOutOfRange, "expected more than 0 and at most 1 for each of fractions, received ",
           fraction);
    }
    sum += fraction;
  }
  if (fractions.empty() || sum > 1 + kRounding) {
    fail(ErrorCode::kOutOfRange,
         "expected at least one fraction, and a sum of at most 1, for fractions, received a sum of ", sum);
  }
  const std::vector<int64_t> order = shuffled(count, mixSeed(seed, "split"));
  std::vector<at::Tensor> parts;
  double before = 0;
  int64_t begin = 0;
  for (const double fraction : fractions) {
    before += fraction;
    const int64_t end =
        std::min(count, static_cast<int64_t>(std::llround(before * static_cast<double>(count))));
    if (end == begin) {
      fail(ErrorCode::kDataInvalid, "expected each part of a split to hold a sample, found none in part ",
           parts.size(), " (", fraction, " of ", count, " samples)");
    }
    parts.push_back(sorted({order.begin() + begin, order.begin() + end}));
    begin = end;
  }
  return parts;
}

at::Tensor takePositions(const at::Tensor& labels, int64_t classes, int64_t count, uint64_t seed,
                         bool stratified) {
  const int64_t total = labels.size(0);
  if (count < 1 || count > total) {
    fail(ErrorCode::kOutOfRange, "expected 1 to ", total, " (the dataset's samples) for count, received ",
         count);
  }
  std::vector<int64_t> order = shuffled(total, mixSeed(seed, "take"));
  if (!stratified) return sorted({order.begin(), order.begin() + count});
  const auto* label = labels.const_data_ptr<int64_t>();
  std::vector<int64_t> sizes(static_cast<size_t>(classes));
  for (int64_t i = 0; i < total; ++i) ++sizes[static_cast<size_t>(label[i])];
  std::vector<int64_t> quota = shares(sizes, total, count, mixSeed(seed, "shares"));
  std::vector<int64_t> taken;
  for (const int64_t position : order) {
    if (quota[static_cast<size_t>(label[position])]-- > 0) taken.push_back(position);
  }
  return sorted(std::move(taken));
}

std::pair<at::Tensor, at::Tensor> holdOutPositions(const std::vector<uint64_t>& hashes, double fraction) {
  if (!(fraction > 0 && fraction < 1)) {
    fail(ErrorCode::kOutOfRange,
         "expected more than 0 and less than 1 for the fraction to hold out, received ", fraction);
  }
  const auto count = static_cast<int64_t>(hashes.size());
  const int64_t wanted = std::max<int64_t>(1, std::llround(fraction * static_cast<double>(count)));
  std::vector<uint64_t> order = hashes;
  std::sort(order.begin(), order.end());
  // Copies of one sample have one hash and stay together: the cut goes to the nearer end of such a group.
  const uint64_t threshold = order[static_cast<size_t>(std::min(wanted, count) - 1)];
  const auto [first, last] = std::equal_range(order.begin(), order.end(), threshold);
  const int64_t below = first - order.begin(), upTo = last - order.begin();
  const bool useBelow = below > 0 && (upTo == count || wanted - below < upTo - wanted);
  const int64_t held = useBelow ? below : upTo;
  if (held == count) {
    fail(ErrorCode::kDataInvalid, "cannot hold out ", fraction, " of ", count,
         " samples by content: expected at least two different samples. Give a separate dataset instead");
  }
  std::vector<int64_t> kept, heldOut;
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t hash = hashes[static_cast<size_t>(i)];
    (hash < threshold || (hash == threshold && !useBelow) ? heldOut : kept).push_back(i);
  }
  return {toTensor(kept), toTensor(heldOut)};
}

uint64_t contentHash(const uint8_t* data, size_t bytes) {
  uint64_t hash = mixSeed(0, bytes);
  for (; bytes >= sizeof(uint64_t); data += sizeof(uint64_t), bytes -= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, data, sizeof(word));
    hash = mixSeed(hash, word);
  }
  uint64_t rest = 0;
  std::memcpy(&rest, data, bytes);
  return mixSeed(hash, rest);
}

}  // namespace espalier
