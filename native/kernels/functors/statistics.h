#pragma once

#include "kernels/functors/functor.h"

// What guards and reports ask of a tensor, in one pass.
namespace espalier::kernels {

template <class H, class T>
struct Statistics {
  static constexpr int kSums = 5;  // zeros, NaNs, infinities; sum |x|, sum x^2 of the finite ones
  using Scalars = NoScalars;
  const H* values = nullptr;

  ESPALIER_INLINE bool idle() const { return false; }
  ESPALIER_INLINE Scalars scalars() const { return {}; }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars&, Io& io) const {
    using V = typename Io::V;
    const V zero(T(0));
    const V one(T(1));
    const V x = abs(V(io.load(values)));
    // x - x is 0 for a finite number, NaN for the others; a NaN is not >= 0.
    const V finite = select(x - x >= zero, one, zero);
    const V number = select(x >= zero, one, zero);
    const V magnitude = select(x - x >= zero, x, zero);
    io.sum(0, select(zero >= x, one, zero));
    io.sum(1, one - number);
    io.sum(2, number - finite);
    io.sum(3, magnitude);
    io.sum(4, magnitude * magnitude);
  }
};

// How many values are not finite: the cheapest question of the divergence guard.
template <class H, class T>
struct CountNotFinite {
  static constexpr int kSums = 1;
  using Scalars = NoScalars;
  const H* values = nullptr;

  ESPALIER_INLINE bool idle() const { return false; }
  ESPALIER_INLINE Scalars scalars() const { return {}; }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars&, Io& io) const {
    using V = typename Io::V;
    const V zero(T(0));
    const V x = io.load(values);
    io.sum(0, select(x - x >= zero, zero, V(T(1))));
  }
};

// For all tensors together: raises the flag where a count is not 0.
struct RaiseFlag {
  const double* counts = nullptr;
  int64_t size = 0;
  float* flag = nullptr;
  ESPALIER_INLINE void operator()() const {
    for (int64_t i = 0; i < size; ++i) {
      if (counts[i] != 0) *flag = 1.0f;
    }
  }
};

}  // namespace espalier::kernels
