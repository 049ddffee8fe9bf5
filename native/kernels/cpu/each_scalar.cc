#include "kernels/cpu/chunk.h"
#include "kernels/cpu/table.h"

// The plain path: any machine, and float64.
namespace espalier::kernels::cpu {

namespace {

template <class T, int kSums>
struct ScalarIo {
  using V = T;
  using M = bool;
  int64_t at;
  int lane;
  T (&sums)[kSums > 0 ? kSums : 1][kLanes];

  template <class E>
  ESPALIER_INLINE T load(const E* stream) const {
    return static_cast<T>(stream[at]);
  }
  ESPALIER_INLINE bool load(const bool* stream) const { return stream[at]; }
  template <class E>
  ESPALIER_INLINE void store(E* stream, T value) const {
    stream[at] = static_cast<E>(value);
  }
  ESPALIER_INLINE void sum(int k, T value) { sums[k][lane] += value; }
};

template <class T, class Functor>
void runChunk(const Functor& given, int64_t begin, int64_t end, double* sums) {
  const Functor functor = given;  // a copy that stores to the streams cannot change
  if (functor.idle()) return;
  const auto scalars = functor.scalars();
  for (int64_t block = begin; block < end; block += kBlock) {
    T lanes[Functor::kSums > 0 ? Functor::kSums : 1][kLanes] = {};
    const int64_t blockEnd = block + kBlock < end ? block + kBlock : end;
    for (int64_t i = block; i < blockEnd; ++i) {
      ScalarIo<T, Functor::kSums> io{i, static_cast<int>((i - block) % kLanes), lanes};
      functor(scalars, io);
    }
    for (int k = 0; k < Functor::kSums; ++k) sums[k] += foldLanes(lanes[k]);
  }
}

template <class T, class... Functors>
constexpr Table<Functors...> fill(Table<Functors...>*) {
  return {Entry<Functors>{runChunk<T, Functors>}...};
}
template <class T, class OneTable>
constexpr OneTable fill() {
  return fill<T>(static_cast<OneTable*>(nullptr));
}

}  // namespace

constinit const FloatTables kFloatDefault = {
    fill<float, FloatTable<float>>(), fill<float, FloatTable<c10::Half>>(),
    fill<float, FloatTable<c10::BFloat16>>(), fill<float, CommonTable>()};
constinit const DoubleTable kDouble = fill<double, DoubleTable>();

}  // namespace espalier::kernels::cpu
