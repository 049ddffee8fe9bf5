#pragma once

#include "kernels/cuda/block.cuh"
#include "kernels/cuda/each.h"
#include "kernels/cuda/sums.h"
#include "kernels/cuda/table.h"

// The one kernel of all functors that go over elements. A block takes a chunk, a thread kWidth neighbours at
// a time: with one load a stream where all streams are aligned, element by element where they are not and at
// the end of a tensor. Which thread has which element does not depend on that, so neither do the sums; no sum
// depends on the grid.
namespace espalier::kernels::cuda {

template <class E, int N>
struct alignas(sizeof(E) * N) Vector {
  E v[N];
};

// kWidth elements from `at` on.
template <class T, int kSums>
struct WholeIo {
  static constexpr int N = kWidth<T>;
  using V = Pack<T, N>;
  using M = PackMask<N>;
  int64_t at;
  V (&sums)[kSums > 0 ? kSums : 1];

  template <class E>
  ESPALIER_INLINE V load(const E* stream) const {
    const auto raw = *reinterpret_cast<const Vector<E, N>*>(stream + at);
    return makePack<T, N>([&](int i) { return static_cast<T>(raw.v[i]); });
  }
  ESPALIER_INLINE M load(const bool* stream) const {
    const auto raw = *reinterpret_cast<const Vector<bool, N>*>(stream + at);
    return makeMask<N>([&](int i) { return raw.v[i]; });
  }
  template <class E>
  ESPALIER_INLINE void store(E* stream, const V& value) const {
    Vector<E, N> raw;
    ESPALIER_UNROLL
    for (int i = 0; i < N; ++i) raw.v[i] = static_cast<E>(value.v[i]);
    *reinterpret_cast<Vector<E, N>*>(stream + at) = raw;
  }
  ESPALIER_INLINE void sum(int k, const V& value) const { sums[k] = sums[k] + value; }
};

// The first `count` of them, one by one.
template <class T, int kSums>
struct PartIo {
  static constexpr int N = kWidth<T>;
  using V = Pack<T, N>;
  using M = PackMask<N>;
  int64_t at;
  int count;
  V (&sums)[kSums > 0 ? kSums : 1];

  template <class E>
  ESPALIER_INLINE V load(const E* stream) const {
    return makePack<T, N>([&](int i) { return i < count ? static_cast<T>(stream[at + i]) : T(0); });
  }
  ESPALIER_INLINE M load(const bool* stream) const {
    return makeMask<N>([&](int i) { return i < count && stream[at + i]; });
  }
  template <class E>
  ESPALIER_INLINE void store(E* stream, const V& value) const {
    ESPALIER_UNROLL
    for (int i = 0; i < N; ++i) {
      if (i < count) stream[at + i] = static_cast<E>(value.v[i]);
    }
  }
  ESPALIER_INLINE void sum(int k, const V& value) const {
    ESPALIER_UNROLL
    for (int i = 0; i < N; ++i) {
      if (i < count) sums[k].v[i] += value.v[i];
    }
  }
};

template <class Functor>
struct Work {
  Functor functor;
  bool isAligned;
};

template <class Functor>
__global__ void __launch_bounds__(kThreads)
    eachKernel(const __grid_constant__ Table<Work<Functor>> table, double* partial) {
  using T = ComputeType<Functor>;
  constexpr int kSums = Functor::kSums;
  constexpr int N = kWidth<T>;
  for (int index = blockIdx.x; index < table.chunks; index += gridDim.x) {
    const Chunk chunk = table.chunk(index);
    const Functor functor = table.slots[chunk.slot].entry.functor;
    const bool isAligned = table.slots[chunk.slot].entry.isAligned;
    Pack<T, N> sums[kSums > 0 ? kSums : 1];
    for (auto& sum : sums) sum = Pack<T, N>(T(0));
    if (!functor.idle()) {
      const auto scalars = functor.scalars();
      for (int64_t i = chunk.begin + threadIdx.x * N; i < chunk.end; i += blockDim.x * N) {
        if (isAligned && i + N <= chunk.end) {
          WholeIo<T, kSums> io{i, sums};
          functor(scalars, io);
        } else {
          PartIo<T, kSums> io{i, static_cast<int>(chunk.end - i < N ? chunk.end - i : N), sums};
          functor(scalars, io);
        }
      }
    }
    if constexpr (kSums > 0) {
      double ofThread[kSums];
      for (int k = 0; k < kSums; ++k) {
        ofThread[k] = 0;
        for (int i = 0; i < N; ++i) ofThread[k] += static_cast<double>(sums[k].v[i]);
      }
      addOverBlock(ofThread);
      if (threadIdx.x == 0) {
        for (int k = 0; k < kSums; ++k) partial[int64_t{index} * kSums + k] = ofThread[k];
      }
    }
  }
}

template <class Functor>
void runEach(const Functor* functors, const int64_t* sizes, int64_t count, double* partial, double* sums,
             Stream stream) {
  constexpr int kSums = Functor::kSums;
  const auto workOf = [&](int64_t i) {
    return Work<Functor>{functors[i], probe(functors[i]).misaligned == 0};
  };
  forEachTable<Work<Functor>>(sizes, count, workOf,
                              [&](const Table<Work<Functor>>& table, int64_t chunksBefore) {
                                double* of = kSums > 0 ? partial + chunksBefore * kSums : nullptr;
                                launch(eachKernel<Functor>, table.chunks, stream, table, of);
                                if constexpr (kSums > 0) {
                                  static_assert(Table<Work<Functor>>::kMost <= Ranges::kMost);
                                  Ranges ranges;
                                  ranges.count = table.count;
                                  for (int i = 0; i < table.count; ++i) {
                                    ranges.first[i] = table.slots[i].firstChunk;
                                    ranges.tensor[i] = table.slots[i].tensor;
                                  }
                                  ranges.first[table.count] = table.chunks;
                                  addPartials(ranges, of, kSums, sums, stream);
                                }
                              });
}

template <class... Functors>
constexpr EachTable<Functors...> fill(EachTable<Functors...>*) {
  return {EachEntry<Functors>{runEach<Functors>}...};
}
template <class Table>
constexpr Table fill() {
  return fill(static_cast<Table*>(nullptr));
}

}  // namespace espalier::kernels::cuda
