#pragma once

#include "kernels/functors/functor.h"

// Weights under a mask that is learned through real scores (Mallya et al. 2018, Piggyback): the network sees
// w * 1[score > cut], and the gradient goes straight through the step, dJ/dscore = dJ/deffective * w.
namespace espalier::kernels {

template <class T, class H>
struct ScoreApply {
  static constexpr int kSums = 1;  // kept
  using Scalars = NoScalars;
  const T* weight = nullptr;
  const T* score = nullptr;
  H* effective = nullptr;
  T cut = 0;

  ESPALIER_INLINE bool idle() const { return false; }
  ESPALIER_INLINE Scalars scalars() const { return {}; }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars&, Io& io) const {
    using V = typename Io::V;
    const V zero(T(0));
    const typename Io::M kept = io.load(score) > V(cut);
    io.store(effective, select(kept, V(io.load(weight)), zero));
    io.sum(0, select(kept, V(T(1)), zero));
  }
};

// Adam on the scores, with the straight-through gradient made on the way; the weight only reads.
template <class T, class H>
struct ScoreAdam {
  static constexpr int kSums = 0;
  T* score = nullptr;
  const T* weight = nullptr;
  const H* gradient = nullptr;  // of the effective weight
  T* first = nullptr;
  T* second = nullptr;
  const float* skip = nullptr;
  const AdamStep<double>* coefficients = nullptr;
  AdamRates<T> rates = {};
  T epsilon = 0;

  struct Scalars {
    T size;
    T inverseRootOfSecond;
  };
  ESPALIER_INLINE bool idle() const { return isRaised(skip); }
  ESPALIER_INLINE Scalars scalars() const {
    return {T(coefficients->size), T(coefficients->inverseRootOfSecond)};
  }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars& at, Io& io) const {
    using V = typename Io::V;
    const V g = io.load(gradient) * io.load(weight);
    V m1 = io.load(first);
    V m2 = io.load(second);
    const V direction = adamDirection(g, m1, m2, rates, V(at.inverseRootOfSecond), V(epsilon));
    io.store(first, m1);
    io.store(second, m2);
    io.store(score, fma(V(-at.size), direction, V(io.load(score))));
  }
};

}  // namespace espalier::kernels
