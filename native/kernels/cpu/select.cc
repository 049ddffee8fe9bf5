#include "kernels/select.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <memory>
#include <optional>

#include <ATen/ops/count_nonzero.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/library.h>

#include "kernels/between.h"
#include "kernels/cpu/driver.h"
#include "kernels/cpu/select_scan.h"

// Exact selection without a sort and without a copy of the values. The threshold is found by a sample that
// brackets it and one pass that gathers what falls between, or, where the bracket misses or the tensors are
// small, digit by digit (radix). A second pass writes the masks.
namespace espalier::kernels::cpu {

namespace {

constexpr int64_t kSelectChunk = 16384;
// Below this many elements a sample gains nothing.
constexpr int64_t kSampleFrom = int64_t{1} << 20;
// A 64th of the elements: 1.6 % of their bytes, until the bracket is narrow enough.
constexpr int64_t kSampleShare = 64;
constexpr int64_t kLargestSample = int64_t{1} << 18;

template <class T>
using KeyOf = std::conditional_t<sizeof(T) == 8, uint64_t, Key>;

template <class T>
KeyOf<T> keyOf(T value) {
  return std::bit_cast<KeyOf<T>>(value) & (~KeyOf<T>{0} >> 1);
}
template <class T>
T magnitudeOf(KeyOf<T> key) {
  return std::bit_cast<T>(key);
}

// The values of all tensors, each contiguous.
template <class T>
struct Values {
  std::vector<at::Tensor> tensors;
  std::vector<const T*> data;
  std::vector<Chunk> chunks;
  int64_t count = 0;
  size_t first;  // what the caller counts the first tensor as

  explicit Values(at::TensorList given, size_t firstIndex = 0) : first(firstIndex) {
    constexpr at::ScalarType kType = sizeof(T) == 8 ? at::kDouble : at::kFloat;
    for (const at::Tensor& tensor : given) {
      tensors.push_back(tensor.detach().to(kType).contiguous());
      data.push_back(static_cast<const T*>(tensors.back().const_data_ptr()));
      count += tensor.numel();
    }
    chunks = chunksOf(tensors, kSelectChunk);
  }
  const T* begin(const Chunk& chunk) const { return data[chunk.tensor] + chunk.begin; }
};

template <class T>
struct Threshold {
  KeyOf<T> key = 0;
  int64_t below = 0;  // how many are lower
};

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

// Keys at a fixed stride over all values: the same sample every time.
std::vector<Key> sampleOf(const Values<float>& values) {
  std::vector<Key> sample;
  const int64_t stride = std::max(kSampleShare, values.count / kLargestSample);
  sample.reserve(static_cast<size_t>(values.count / stride + 1));
  int64_t next = 0;
  for (size_t i = 0; i < values.tensors.size(); ++i) {
    const int64_t size = values.tensors[i].numel();
    for (; next < size; next += stride) sample.push_back(keyOf(values.data[i][next]));
    next -= size;
  }
  return sample;
}

struct Bracket {
  Key low = 0;
  Key high = kMagnitude;
};

// Five standard deviations around the wanted quantile: misses once in two million, if the order of the values
// has nothing to do with the stride.
Bracket bracketOf(std::vector<Key> sample, double quantile) {
  const auto size = static_cast<double>(sample.size());
  const double margin = 5 * std::sqrt(quantile * (1 - quantile) / size) + 1 / size;
  const auto at = [&](double fraction) {
    const auto index = static_cast<std::ptrdiff_t>(std::clamp(fraction * size, 0.0, size - 1));
    std::nth_element(sample.begin(), sample.begin() + index, sample.end());
    return sample[static_cast<size_t>(index)];
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
  // The workspace: 1.6 % of the values' bytes, whichever chunks hold what is gathered, and a buffer a thread.
  const auto capacity = values.count / 64;
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
  Key* end = inside.get() + between;
  Key* nth = inside.get() + (k - belowInside - 1);
  std::nth_element(inside.get(), nth, end);
  const Key key = *nth;
  return Threshold<float>{
      key, belowInside + std::count_if(inside.get(), end, [&](Key other) { return other < key; })};
}

template <class T>
Threshold<T> findThreshold(const char* op, const Values<T>& values, int64_t k) {
  if constexpr (std::is_same_v<T, float>) {
    if (values.count >= kSampleFrom) {
      if (const auto found = findByBracket(op, values, k)) return *found;
    }
  }
  return findByDigits(op, values, k);
}

template <class T>
int64_t writeMask(const T* p, int64_t n, KeyOf<T> threshold, bool keepEqual, bool* kept) {
  if constexpr (std::is_same_v<T, float>) {
    return selectPasses().mask(p, n, threshold, keepEqual, kept);
  } else {
    int64_t equal = 0;
    for (int64_t i = 0; i < n; ++i) {
      const KeyOf<T> key = keyOf(p[i]);
      kept[i] = key > threshold || (keepEqual && key == threshold);
      equal += key == threshold ? 1 : 0;
    }
    return equal;
  }
}

// Masks that cut what is below the threshold, and the first `ties` of what equals it.
template <class T>
std::vector<at::Tensor> cutAt(const Values<T>& values, KeyOf<T> threshold, int64_t ties) {
  std::vector<at::Tensor> masks;
  std::vector<bool*> kept;
  for (const at::Tensor& tensor : values.tensors) {
    masks.push_back(at::empty(tensor.sizes(), tensor.options().dtype(at::kBool)));
    kept.push_back(static_cast<bool*>(masks.back().mutable_data_ptr()));
  }
  const std::vector<Chunk>& chunks = values.chunks;
  std::vector<int64_t> equal(chunks.size());
  const auto write = [&](size_t i, bool keepEqual) {
    const Chunk& chunk = chunks[i];
    return writeMask(values.begin(chunk), chunk.end - chunk.begin, threshold, keepEqual,
                     kept[chunk.tensor] + chunk.begin);
  };
  forEachChunk(chunks, [&](size_t i) { equal[i] = write(i, ties == 0); });
  if (ties == 0) return masks;
  // How many ties stand before each chunk.
  std::vector<int64_t> before(chunks.size());
  int64_t seen = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    before[i] = seen;
    seen += equal[i];
  }
  if (seen == ties) return masks;
  forEachChunk(chunks, [&](size_t i) {
    if (before[i] + equal[i] <= ties) return;
    write(i, true);
    const T* p = values.begin(chunks[i]);
    bool* out = kept[chunks[i].tensor] + chunks[i].begin;
    int64_t left = ties - before[i];
    for (int64_t j = 0; left > 0; ++j) {
      if (keyOf(p[j]) != threshold) continue;
      out[j] = false;
      --left;
    }
  });
  return masks;
}

template <class Body>
auto dispatchKeys(at::TensorList tensors, Body body) {
  return tensors[0].scalar_type() == at::kDouble ? body(double{}) : body(float{});
}

template <class T>
std::vector<at::Tensor> cutLowest(const char* op, const Values<T>& values, int64_t cut) {
  if (values.count == 0) return cutAt(values, KeyOf<T>{0}, 0);
  const Threshold<T> threshold = findThreshold(op, values, std::max<int64_t>(1, cut));
  return cutAt(values, threshold.key, std::max<int64_t>(0, cut - threshold.below));
}

at::Tensor kthMagnitude(at::TensorList tensors, int64_t k) {
  constexpr const char* kOp = "kth_magnitude";
  checkCount(kOp, "k - 1", k - 1, tensors);
  return dispatchKeys(tensors, [&](auto type) {
    using T = decltype(type);
    const Values<T> values(tensors);
    TORCH_CHECK_VALUE(k <= values.count, kOp, ": expected k from 1 to ", values.count, ", found ", k);
    return at::scalar_tensor(magnitudeOf<T>(findThreshold(kOp, values, k).key), tensors[0].options());
  });
}

std::vector<at::Tensor> selectLowestEach(at::TensorList tensors, at::IntArrayRef cuts) {
  constexpr const char* kOp = "select_lowest_each";
  checkEach(kOp, tensors, cuts);
  std::vector<at::Tensor> masks;
  for (size_t i = 0; i < tensors.size(); ++i) {
    dispatchKeys(tensors, [&](auto type) {
      masks.push_back(cutLowest(kOp, Values<decltype(type)>(at::TensorList(tensors[i]), i), cuts[i])[0]);
      return 0;
    });
  }
  return masks;
}

int64_t countIn(const at::Tensor& mask) { return mask.numel() - at::count_nonzero(mask).item<int64_t>(); }

// How many of each tensor fall under the limits.
template <class T>
std::vector<int64_t> cutsOf(const Values<T>& values, int64_t cut, at::IntArrayRef least,
                            at::IntArrayRef most) {
  const auto countBelow = [&](KeyOf<T> threshold) {
    std::vector<std::atomic<int64_t>> below(values.tensors.size());
    forEachChunk(values.chunks, [&](size_t i) {
      const Chunk& chunk = values.chunks[i];
      const T* p = values.begin(chunk);
      if constexpr (std::is_same_v<T, float>) {
        below[chunk.tensor] += selectPasses().countBelow(p, chunk.end - chunk.begin, threshold);
      } else {
        below[chunk.tensor] += std::count_if(p, p + (chunk.end - chunk.begin),
                                             [&](T value) { return keyOf(value) < threshold; });
      }
    });
    return std::vector<int64_t>(below.begin(), below.end());
  };
  return cutsBetween(keyOf(std::numeric_limits<T>::infinity()), cut, least, most, countBelow);
}

std::vector<at::Tensor> selectLowestBetween(at::TensorList tensors, int64_t cut, at::IntArrayRef least,
                                            at::IntArrayRef most) {
  constexpr const char* kOp = "select_lowest_between";
  checkLimits(kOp, tensors, cut, least, most);
  // Where the limits do not bind the answer is the one without them.
  std::vector<at::Tensor> masks = selectLowest(tensors, cut);
  bool within = true;
  for (size_t i = 0; i < masks.size(); ++i) {
    const int64_t here = countIn(masks[i]);
    within = within && here >= least[i] && here <= most[i];
  }
  if (within) return masks;
  const std::vector<int64_t> cuts = dispatchKeys(
      tensors, [&](auto type) { return cutsOf(Values<decltype(type)>(tensors), cut, least, most); });
  return selectLowestEach(tensors, cuts);
}

// Of each m neighbours the n highest; of equal ones the last.
template <class T>
void keepOfEach(const T* values, int64_t groups, int64_t n, int64_t m, bool* kept) {
  std::vector<int64_t> order(static_cast<size_t>(m));
  for (int64_t group = 0; group < groups; ++group) {
    const T* p = values + group * m;
    bool* out = kept + group * m;
    for (int64_t i = 0; i < m; ++i) {
      order[static_cast<size_t>(i)] = i;
      out[i] = false;
    }
    const auto isHigher = [&](int64_t a, int64_t b) {
      return keyOf(p[a]) > keyOf(p[b]) || (keyOf(p[a]) == keyOf(p[b]) && a > b);
    };
    if (n < m) std::nth_element(order.begin(), order.begin() + n, order.end(), isHigher);
    for (int64_t i = 0; i < n; ++i) out[order[static_cast<size_t>(i)]] = true;
  }
}

// The same by ranks, without an order to keep: for the short groups that hardware knows.
template <int kM, class T>
void keepOfShort(const T* values, int64_t groups, int64_t n, bool* kept) {
  for (int64_t group = 0; group < groups; ++group) {
    for (int i = 0; i < kM; ++i) {
      const KeyOf<T> key = keyOf(values[group * kM + i]);
      int rank = 0;
      for (int j = 0; j < kM; ++j) {
        const KeyOf<T> other = keyOf(values[group * kM + j]);
        rank += other > key || (other == key && j > i) ? 1 : 0;
      }
      kept[group * kM + i] = rank < n;
    }
  }
}

template <class T>
void keepOf(const T* values, int64_t groups, int64_t n, int64_t m, bool* kept) {
  if (m == 2) return keepOfShort<2>(values, groups, n, kept);
  if (m == 4) return keepOfShort<4>(values, groups, n, kept);
  if (m == 8) return keepOfShort<8>(values, groups, n, kept);
  keepOfEach(values, groups, n, m, kept);
}

std::vector<at::Tensor> selectNOfM(at::TensorList tensors, int64_t n, int64_t m) {
  constexpr const char* kOp = "select_n_of_m";
  checkNOfM(kOp, tensors, n, m);
  return dispatchKeys(tensors, [&](auto type) {
    using T = decltype(type);
    const Values<T> values(tensors);
    std::vector<at::Tensor> masks;
    for (size_t i = 0; i < tensors.size(); ++i) {
      masks.push_back(at::empty(tensors[i].sizes(), tensors[i].options().dtype(at::kBool).memory_format(
                                                        at::MemoryFormat::Contiguous)));
      bool* kept = static_cast<bool*>(masks.back().mutable_data_ptr());
      std::atomic<bool> bad{false};
      at::parallel_for(0, tensors[i].numel() / m, std::max<int64_t>(1, kGrain / m),
                       [&](int64_t begin, int64_t end) {
                         const T* p = values.data[i] + begin * m;
                         keepOf(p, end - begin, n, m, kept + begin * m);
                         const KeyOf<T> infinity = keyOf(std::numeric_limits<T>::infinity());
                         if (std::any_of(p, p + (end - begin) * m, [&](T x) { return keyOf(x) > infinity; }))
                           bad = true;
                       });
      if (bad) failNotANumber(kOp, i);
    }
    return masks;
  });
}

}  // namespace

std::vector<at::Tensor> selectLowest(at::TensorList tensors, int64_t cut) {
  constexpr const char* kOp = "select_lowest";
  checkCount(kOp, "cut", cut, tensors);
  return dispatchKeys(tensors,
                      [&](auto type) { return cutLowest(kOp, Values<decltype(type)>(tensors), cut); });
}

const SelectPasses& selectPasses() { return forMachine(&kSelectAvx512, &kSelectAvx2, &kSelectDefault); }

TORCH_LIBRARY_IMPL(espalier, CPU, m) {
  m.impl("kth_magnitude", TORCH_FN(kthMagnitude));
  m.impl("select_lowest", TORCH_FN(selectLowest));
  m.impl("select_lowest_each", TORCH_FN(selectLowestEach));
  m.impl("select_lowest_between", TORCH_FN(selectLowestBetween));
  m.impl("select_n_of_m", TORCH_FN(selectNOfM));
}

}  // namespace espalier::kernels::cpu
