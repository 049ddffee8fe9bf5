#include "kernels/cpu/chunk.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/table.h"

// The functors over SIMD lanes. Compiled once for AVX2 and once for AVX-512 (CMakeLists.txt), which give the
// same bits: both go 16 elements at a time.
namespace espalier::kernels::cpu {

namespace {

using espalier::kernels::ESPALIER_ISA::Floats;
using espalier::kernels::ESPALIER_ISA::kWidth;
using espalier::kernels::ESPALIER_ISA::LaneMask;
using espalier::kernels::ESPALIER_ISA::Lanes;
using espalier::kernels::ESPALIER_ISA::loadLanes;
using espalier::kernels::ESPALIER_ISA::storeLanes;

constexpr int kSlots = kLanes / kWidth;

template <int kSums>
using Sums = Lanes[kSums > 0 ? kSums : 1][kSlots];

template <int kSums>
struct WholeIo {
  using V = Lanes;
  using M = LaneMask;
  int64_t at;
  int slot;
  Sums<kSums>& sums;

  template <class E>
  ESPALIER_INLINE auto load(const E* stream) const {
    return loadLanes(stream + at);
  }
  template <class E>
  ESPALIER_INLINE void store(E* stream, Lanes value) const {
    storeLanes(stream + at, value);
  }
  ESPALIER_INLINE void sum(int k, Lanes value) { sums[k][slot] = sums[k][slot] + value; }
};

// The last elements of a tensor, fewer than a vector: by way of a buffer, the sums only over what there is.
template <int kSums>
struct PartIo {
  using V = Lanes;
  using M = LaneMask;
  int64_t at;
  int count;
  int slot;
  Sums<kSums>& sums;

  template <class E>
  ESPALIER_INLINE auto load(const E* stream) const {
    E buffer[kWidth] = {};
    __builtin_memcpy(buffer, stream + at, static_cast<size_t>(count) * sizeof(E));
    return loadLanes(buffer);
  }
  template <class E>
  ESPALIER_INLINE void store(E* stream, Lanes value) const {
    E buffer[kWidth];
    storeLanes(buffer, value);
    __builtin_memcpy(stream + at, buffer, static_cast<size_t>(count) * sizeof(E));
  }
  ESPALIER_INLINE void sum(int k, Lanes value) {
    bool there[kWidth] = {};
    for (int i = 0; i < count; ++i) there[i] = true;
    sums[k][slot] = sums[k][slot] + select(loadLanes(there), value, Lanes(0.0f));
  }
};

template <class Functor>
void runChunk(const Functor& given, int64_t begin, int64_t end, double* sums) {
  const Functor functor = given;  // a copy that stores to the streams cannot change
  if (functor.idle()) return;
  constexpr int kSums = Functor::kSums;
  const auto scalars = functor.scalars();
  for (int64_t block = begin; block < end; block += kBlock) {
    const int64_t blockEnd = block + kBlock < end ? block + kBlock : end;
    Sums<kSums> lanes;
    int64_t i = block;
    for (; i + kLanes <= blockEnd; i += kLanes) {
#pragma GCC unroll 2
      for (int slot = 0; slot < kSlots; ++slot) {
        WholeIo<kSums> io{i + slot * kWidth, slot, lanes};
        functor(scalars, io);
      }
    }
    for (int slot = 0; i < blockEnd; ++slot, i += kWidth) {
      if (i + kWidth <= blockEnd) {
        WholeIo<kSums> io{i, slot, lanes};
        functor(scalars, io);
      } else {
        PartIo<kSums> io{i, static_cast<int>(blockEnd - i), slot, lanes};
        functor(scalars, io);
      }
    }
    for (int k = 0; k < kSums; ++k) {
      float values[kLanes];
      for (int slot = 0; slot < kSlots; ++slot) lanes[k][slot].v.store(values + slot * kWidth);
      sums[k] += foldLanes(values);
    }
  }
}

template <class... Functors>
constexpr Table<Functors...> fill(Table<Functors...>*) {
  return {Entry<Functors>{runChunk<Functors>}...};
}
template <class OneTable>
constexpr OneTable fill() {
  return fill(static_cast<OneTable*>(nullptr));
}

constexpr FloatTables fillAll() {
  return {fill<FloatTable<float>>(), fill<FloatTable<c10::Half>>(), fill<FloatTable<c10::BFloat16>>(),
          fill<CommonTable>()};
}

}  // namespace

#if defined(CPU_CAPABILITY_AVX512)
constinit const FloatTables kFloatAvx512 = fillAll();
#else
constinit const FloatTables kFloatAvx2 = fillAll();
#endif

}  // namespace espalier::kernels::cpu
