#include "kernels/select.h"

#include <algorithm>
#include <atomic>

#include <ATen/ops/count_nonzero.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/library.h>

#include "kernels/between.h"
#include "kernels/cpu/threshold.h"

// Masks of what is below a threshold. Exact selection without a sort and without a copy of the values: one
// pass finds the threshold (threshold.h), a second writes the masks.
namespace espalier::kernels::cpu {

namespace {

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
