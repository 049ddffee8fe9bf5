#pragma once

#include "kernels/math.h"

// Over packs: what is not unrolled is indexed memory, not registers.
#ifdef __CUDACC__
#define ESPALIER_UNROLL _Pragma("unroll")
#else
#define ESPALIER_UNROLL _Pragma("GCC unroll 8")
#endif

// N neighbouring elements as the arithmetic type of functors: what one CUDA thread loads and stores at once.
// Element by element it is the scalar mathematics.
namespace espalier::kernels::cuda {

template <class T, int N>
struct Pack {
  T v[N];
  Pack() = default;
  ESPALIER_INLINE explicit Pack(T x) {
    ESPALIER_UNROLL
    for (int i = 0; i < N; ++i) v[i] = x;
  }
};

template <int N>
struct PackMask {
  bool v[N];
};

template <class T, int N, class Body>
ESPALIER_INLINE Pack<T, N> makePack(const Body& body) {
  Pack<T, N> result;
  ESPALIER_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = body(i);
  return result;
}
template <int N, class Body>
ESPALIER_INLINE PackMask<N> makeMask(const Body& body) {
  PackMask<N> result;
  ESPALIER_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = body(i);
  return result;
}

template <class T, int N>
ESPALIER_INLINE Pack<T, N> operator+(const Pack<T, N>& a, const Pack<T, N>& b) {
  return makePack<T, N>([&](int i) { return a.v[i] + b.v[i]; });
}
template <class T, int N>
ESPALIER_INLINE Pack<T, N> operator-(const Pack<T, N>& a, const Pack<T, N>& b) {
  return makePack<T, N>([&](int i) { return a.v[i] - b.v[i]; });
}
template <class T, int N>
ESPALIER_INLINE Pack<T, N> operator*(const Pack<T, N>& a, const Pack<T, N>& b) {
  return makePack<T, N>([&](int i) { return a.v[i] * b.v[i]; });
}
template <class T, int N>
ESPALIER_INLINE Pack<T, N> operator/(const Pack<T, N>& a, const Pack<T, N>& b) {
  return makePack<T, N>([&](int i) { return a.v[i] / b.v[i]; });
}
template <class T, int N>
ESPALIER_INLINE PackMask<N> operator>(const Pack<T, N>& a, const Pack<T, N>& b) {
  return makeMask<N>([&](int i) { return a.v[i] > b.v[i]; });
}
template <class T, int N>
ESPALIER_INLINE PackMask<N> operator>=(const Pack<T, N>& a, const Pack<T, N>& b) {
  return makeMask<N>([&](int i) { return a.v[i] >= b.v[i]; });
}
template <class T, int N>
ESPALIER_INLINE Pack<T, N> fma(const Pack<T, N>& a, const Pack<T, N>& b, const Pack<T, N>& c) {
  return makePack<T, N>([&](int i) { return kernels::fma(a.v[i], b.v[i], c.v[i]); });
}
template <class T, int N>
ESPALIER_INLINE Pack<T, N> abs(const Pack<T, N>& x) {
  return makePack<T, N>([&](int i) { return kernels::abs(x.v[i]); });
}
template <class T, int N>
ESPALIER_INLINE Pack<T, N> sqrt(const Pack<T, N>& x) {
  return makePack<T, N>([&](int i) { return kernels::sqrt(x.v[i]); });
}
template <class T, int N>
ESPALIER_INLINE Pack<T, N> expOfNegative(const Pack<T, N>& x) {
  return makePack<T, N>([&](int i) { return kernels::expOfNegative(x.v[i]); });
}
template <class T, int N>
ESPALIER_INLINE Pack<T, N> select(const PackMask<N>& condition, const Pack<T, N>& yes, const Pack<T, N>& no) {
  return makePack<T, N>([&](int i) { return condition.v[i] ? yes.v[i] : no.v[i]; });
}

}  // namespace espalier::kernels::cuda
