#include "kernels/cpu/threshold.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <memory>
#include <optional>
#include <span>

#include "kernels/select.h"

namespace espalier::kernels::cpu {

namespace {

// Below this many elements a sample gains nothing.
constexpr int64_t kSampleFrom = int64_t{1} << 15;
// A 64th of the elements: 1.6 % of their bytes, until the bracket is narrow enough. Of few elements an
// eighth: a bracket gets wider as its sample gets smaller.
constexpr int64_t kLargestSample = int64_t{1} << 18;
constexpr int64_t kSmallSample = int64_t{1} << 16;
int64_t sampleSize(int64_t count) {
  return std::min(std::max(count / 64, std::min(count / 8, kSmallSample)), kLargestSample);
}
// Of what falls into a bracket: 1.6 % of the elements too, or half a megabyte, in which the bracket around
// any quantile has room.
int64_t capacityOf(int64_t count) { return std::max(count / 64, std::min(count, int64_t{1} << 17)); }

// The k-th lowest key, 8 bits a pass from the highest.
template <class T>
Threshold<T> findByDigits(const char* op, const Values<T>& values, int64_t k) {
  constexpr int kBits = 8;
  constexpr int kTop = static_cast<int>(sizeof(T)) * 8 - kBits;
  using Histogram = std::array<int64_t, 1 << kBits>;
  Threshold<T> found;
  KeyOf<T> prefixMask = 0;
  const KeyOf<T> infinity = keyOf(std::numeric_limits<T>::infinity());
  for (int shift = kTop; shift >= 0; shift -= kBits) {
    std::vector<Histogram> ofThread(static_cast<size_t>(at::get_num_threads()), Histogram{});
    std::atomic<size_t> notANumber{values.tensors.size()};
    forEachChunk(values.chunks, [&](size_t index) {
      const Chunk& chunk = values.chunks[index];
      Histogram& histogram = ofThread[static_cast<size_t>(at::get_thread_num())];
      const T* p = values.begin(chunk);
      bool bad = false;
      for (int64_t i = 0; i < chunk.end - chunk.begin; ++i) {
        const KeyOf<T> key = keyOf(p[i]);
        bad = bad || key > infinity;
        if ((key & prefixMask) == found.key) ++histogram[(key >> shift) & 0xff];
      }
      // The first of them, whichever thread saw it.
      for (size_t seen = notANumber; bad && chunk.tensor < seen;) {
        if (notANumber.compare_exchange_weak(seen, chunk.tensor)) break;
      }
    });
    if (notANumber < values.tensors.size()) failNotANumber(op, values.first + notANumber);
    size_t digit = 0;
    for (;; ++digit) {
      int64_t here = 0;
      for (const Histogram& histogram : ofThread) here += histogram[digit];
      if (found.below + here >= k) break;
      found.below += here;
    }
    found.key |= static_cast<KeyOf<T>>(digit) << shift;
    prefixMask |= KeyOf<T>{0xff} << shift;
  }
  return found;
}

// Keys at a fixed stride over all values: the same sample every time. A few neighbours each, for what takes
// time is to fetch the first of them.
std::vector<Key> sampleOf(const Values<float>& values) {
  constexpr int64_t kNeighbours = 4;
  const int64_t stride = kNeighbours * (values.count / sampleSize(values.count));
  struct Part {
    int64_t from;   // of the tensor
    int64_t begin;  // in the sample
  };
  std::vector<Part> parts;
  int64_t next = 0;
  int64_t total = 0;
  for (const at::Tensor& tensor : values.tensors) {
    parts.push_back({next, total});
    for (; next < tensor.numel(); next += stride) total += std::min(tensor.numel() - next, kNeighbours);
    next -= tensor.numel();
  }
  std::vector<Key> sample(static_cast<size_t>(total));
  at::parallel_for(0, static_cast<int64_t>(parts.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      auto out = sample.begin() + parts[i].begin;
      const int64_t size = values.tensors[i].numel();
      for (int64_t from = parts[i].from; from < size; from += stride) {
        for (int64_t at = from; at < std::min(size, from + kNeighbours); ++at)
          *out++ = keyOf(values.data[i][at]);
      }
    }
  });
  return sample;
}

struct Bracket {
  Key low = 0;
  Key high = kMagnitude;
};

// The key that `index` others precede in order. Counted by 2,048 parts of their range, so that only those in
// the same part as it have to be ordered.
Key nthOf(std::span<const Key> keys, size_t index) {
  Key least = kMagnitude;
  Key most = 0;
  for (const Key key : keys) {
    least = std::min(least, key);
    most = std::max(most, key);
  }
  constexpr int kPartBits = 11;
  const int shift = std::max(0, static_cast<int>(std::bit_width(most - least)) - kPartBits);
  const auto partOf = [&](Key key) { return (key - least) >> shift; };
  std::vector<size_t> sizes(size_t{1} << kPartBits);
  for (const Key key : keys) ++sizes[partOf(key)];
  Key part = 0;
  for (; index >= sizes[part]; ++part) index -= sizes[part];
  if (shift == 0) return least + part;
  std::vector<Key> inPart(sizes[part] + 1);
  size_t count = 0;
  for (const Key key : keys) {
    inPart[count] = key;
    count += partOf(key) == part ? 1 : 0;
  }
  const auto nth = inPart.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(inPart.begin(), nth, inPart.end() - 1);
  return *nth;
}

// Five standard deviations around the wanted quantile: misses once in two million, if the sample is as good
// as a random one; in a network neighbours resemble each other a little.
Bracket bracketOf(const std::vector<Key>& sample, double quantile) {
  const auto size = static_cast<double>(sample.size());
  const double margin = 5 * std::sqrt(quantile * (1 - quantile) / size) + 1 / size;
  const auto at = [&](double fraction) {
    return nthOf(sample, static_cast<size_t>(std::clamp(fraction * size, 0.0, size - 1)));
  };
  Bracket bracket;
  if (quantile - margin > 0) bracket.low = at(quantile - margin);
  if (quantile + margin < 1) bracket.high = at(quantile + margin);
  return bracket;
}

// The k-th lowest key, or nothing where the bracket misses it or holds too much.
std::optional<Threshold<float>> findByBracket(const char* op, const Values<float>& values, int64_t k) {
  const Bracket bracket =
      bracketOf(sampleOf(values), static_cast<double>(k) / static_cast<double>(values.count));
  // The workspace, whichever chunks hold what is gathered; and a buffer a thread.
  const int64_t capacity = capacityOf(values.count);
  const auto inside = std::make_unique_for_overwrite<Key[]>(static_cast<size_t>(capacity));
  std::vector<std::unique_ptr<Key[]>> buffers(static_cast<size_t>(at::get_num_threads()));
  std::vector<ScanCounts> counts(values.chunks.size());
  std::atomic<int64_t> gathered{0};
  const SelectPasses& passes = selectPasses();
  forEachChunk(values.chunks, [&](size_t index) {
    const Chunk& chunk = values.chunks[index];
    std::unique_ptr<Key[]>& buffer = buffers[static_cast<size_t>(at::get_thread_num())];
    if (!buffer) buffer = std::make_unique_for_overwrite<Key[]>(kSelectChunk + 16);
    const int64_t found = passes.scan(values.begin(chunk), chunk.end - chunk.begin, bracket.low, bracket.high,
                                      buffer.get(), counts[index]);
    const int64_t begin = gathered.fetch_add(found);
    if (begin + found <= capacity) std::copy_n(buffer.get(), found, inside.get() + begin);
  });
  ScanCounts total;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i].notANumber > 0) failNotANumber(op, values.first + values.chunks[i].tensor);
    total.below += counts[i].below;
    total.equalLow += counts[i].equalLow;
    total.equalHigh += counts[i].equalHigh;
  }
  const int64_t between = gathered;
  const int64_t belowInside = total.below + total.equalLow;
  const int64_t belowHigh = belowInside + between;
  if (k <= total.below || k > belowHigh + total.equalHigh) return std::nullopt;
  if (k <= belowInside) return Threshold<float>{bracket.low, total.below};
  if (k > belowHigh) return Threshold<float>{bracket.high, belowHigh};
  if (between > capacity) return std::nullopt;
  const std::span<const Key> keys(inside.get(), static_cast<size_t>(between));
  const Key key = nthOf(keys, static_cast<size_t>(k - belowInside - 1));
  return Threshold<float>{
      key, belowInside + std::count_if(keys.begin(), keys.end(), [&](Key other) { return other < key; })};
}

}  // namespace

template <class T>
Threshold<T> findThreshold(const char* op, const Values<T>& values, int64_t k) {
  if constexpr (std::is_same_v<T, float>) {
    if (values.count >= kSampleFrom) {
      if (const auto found = findByBracket(op, values, k)) return *found;
    }
  }
  return findByDigits(op, values, k);
}

template Threshold<float> findThreshold(const char* op, const Values<float>& values, int64_t k);
template Threshold<double> findThreshold(const char* op, const Values<double>& values, int64_t k);

}  // namespace espalier::kernels::cpu
