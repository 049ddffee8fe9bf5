#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/pack.h"
#include "kernels/cuda/stream.h"
#include "kernels/functors/list.h"

namespace espalier::kernels::cuda {

// The type T that a functor computes in (functors/functor.h).
template <class Functor>
struct ComputesIn;
template <template <class...> class Functor, class... Types>
struct ComputesIn<Functor<Types...>> {
  using type = std::conditional_t<(std::is_same_v<Types, double> || ...), double, float>;
};
template <class Functor>
using ComputeType = typename ComputesIn<Functor>::type;

// So many neighbours are one thread's: 16 bytes of T.
template <class T>
constexpr int kWidth = 16 / sizeof(T);

// Stands at no element: notes which streams a functor touches, with the functor's own text. Nothing is
// dereferenced.
template <class T>
struct Probe {
  using V = Pack<T, 1>;
  using M = PackMask<1>;
  uintptr_t misaligned = 0;
  int bytesRead = 0;
  int bytesWritten = 0;

  template <class E>
  ESPALIER_INLINE V load(const E* stream) {
    note(stream, bytesRead);
    return V(T(0));
  }
  ESPALIER_INLINE M load(const bool* stream) {
    note(stream, bytesRead);
    return {{true}};
  }
  template <class E>
  ESPALIER_INLINE void store(E* stream, const V&) {
    note(stream, bytesWritten);
  }
  ESPALIER_INLINE void sum(int, const V&) {}

 private:
  template <class E>
  ESPALIER_INLINE void note(const E* stream, int& bytes) {
    misaligned |= reinterpret_cast<uintptr_t>(stream) % (sizeof(E) * kWidth<T>);
    bytes += static_cast<int>(sizeof(E));
  }
};

template <class Functor>
Probe<ComputeType<Functor>> probe(const Functor& functor) {
  Probe<ComputeType<Functor>> io;
  functor(typename Functor::Scalars{}, io);
  return io;
}

// Runs functor i over sizes[i] elements. Where it makes sums, `partial` has room for kSums of each chunk
// (table.h), and sums[i * kSums + k] is written where the tensor is not empty.
template <class Functor>
using RunEach = void (*)(const Functor* functors, const int64_t* sizes, int64_t count, double* partial,
                         double* sums, Stream stream);

template <class Functor>
struct EachEntry {
  RunEach<Functor> run;
};
template <class... Functors>
struct EachTable : EachEntry<Functors>... {};

// each_*.cu fills one each.
template <class H>
using FloatEachTable = FloatFunctors<EachTable, H>;
using CommonEachTable = CommonFunctors<EachTable>;
using DoubleEachTable = DoubleFunctors<EachTable>;
extern const FloatEachTable<float> kEachFloat;
extern const FloatEachTable<c10::Half> kEachHalf;
extern const FloatEachTable<c10::BFloat16> kEachBFloat16;
extern const CommonEachTable kEachCommon;
extern const DoubleEachTable kEachDouble;

template <class Functor, class Table, class... Others>
RunEach<Functor> findEach(const Table& table, const Others&... others) {
  if constexpr (std::is_base_of_v<EachEntry<Functor>, Table>) {
    return static_cast<const EachEntry<Functor>&>(table).run;
  } else {
    return findEach<Functor>(others...);
  }
}
template <class Functor>
RunEach<Functor> findEach() {
  return findEach<Functor>(kEachFloat, kEachHalf, kEachBFloat16, kEachCommon, kEachDouble);
}

}  // namespace espalier::kernels::cuda
