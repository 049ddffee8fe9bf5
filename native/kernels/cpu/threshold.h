#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include <ATen/core/Tensor.h>

#include "kernels/cpu/driver.h"
#include "kernels/cpu/select_scan.h"

// The k-th lowest magnitude of tensors taken together.
namespace espalier::kernels::cpu {

constexpr int64_t kSelectChunk = 16384;

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

// The k-th lowest, k from 1: by a sample that brackets it and one pass that gathers what falls between, or,
// where the bracket misses or the tensors are small, digit by digit (radix). A value that is no number is an
// error that names its tensor and `op`.
template <class T>
Threshold<T> findThreshold(const char* op, const Values<T>& values, int64_t k);

}  // namespace espalier::kernels::cpu
