#pragma once

#include "kernels/functors/functor.h"

// One update of an optimiser under a boolean mask: what is masked is exactly zero afterwards in the weight,
// its moments, its average and the effective weight, whatever its gradient was (NaN included).
namespace espalier::kernels {

// What every masked update ends with: the weight's average and the weight that the network sees.
template <class T, class H>
struct WeightCopies {
  T* average = nullptr;  // average += (1 - averageDecay) * (weight - average)
  H* effective = nullptr;
  T averageDecay = 0;

  template <class Io, class M>
  ESPALIER_INLINE void store(Io& io, typename Io::V weight, M kept) const {
    using V = typename Io::V;
    if (average != nullptr) {
      const V before = io.load(average);
      io.store(average, select(kept, fma(V(T(1) - averageDecay), weight - before, before), V(T(0))));
    }
    if (effective != nullptr) io.store(effective, weight);
  }
};

// torch.optim.SGD; without momentum where that stream is null.
template <class T, class H>
struct MaskedSgd {
  static constexpr int kSums = 0;
  using Scalars = NoScalars;
  T* weight = nullptr;
  const H* gradient = nullptr;
  T* momentum = nullptr;
  const bool* mask = nullptr;
  WeightCopies<T, H> copies;
  const float* skip = nullptr;
  T learningRate = 0;
  T mu = 0;
  T weightDecay = 0;
  bool nesterov = false;

  ESPALIER_INLINE bool idle() const { return isRaised(skip); }
  ESPALIER_INLINE Scalars scalars() const { return {}; }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars& at, Io& io) const {
    underMask(io, mask, [&](auto kept) { apply(at, io, kept); });
  }
  template <class Io, class M>
  ESPALIER_INLINE void apply(const Scalars&, Io& io, M kept) const {
    using V = typename Io::V;
    const V zero(T(0));
    V w = io.load(weight);
    V step = fma(V(weightDecay), w, io.load(gradient));
    if (momentum != nullptr) {
      V b = io.load(momentum);
      step = sgdStep(step, b, V(mu), nesterov);
      io.store(momentum, select(kept, b, zero));
    }
    w = select(kept, fma(V(-learningRate), step, w), zero);
    io.store(weight, w);
    copies.store(io, w, kept);
  }
};

// torch.optim.Adam, or AdamW where `decoupled`. `coefficients` are of AdamAdvance.
template <class T, class H>
struct MaskedAdam {
  static constexpr int kSums = 0;
  T* weight = nullptr;
  const H* gradient = nullptr;
  T* first = nullptr;
  T* second = nullptr;
  const bool* mask = nullptr;
  WeightCopies<T, H> copies;
  const float* skip = nullptr;
  const AdamStep<double>* coefficients = nullptr;
  T learningRate = 0;
  AdamRates<T> rates = {};
  T epsilon = 0;
  T weightDecay = 0;
  bool decoupled = false;

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
    underMask(io, mask, [&](auto kept) { apply(at, io, kept); });
  }
  template <class Io, class M>
  ESPALIER_INLINE void apply(const Scalars& at, Io& io, M kept) const {
    using V = typename Io::V;
    const V zero(T(0));
    V w = io.load(weight);
    V g = io.load(gradient);
    if (decoupled) {
      w = fma(V(-learningRate * weightDecay), w, w);
    } else {
      g = fma(V(weightDecay), w, g);
    }
    // A masked gradient may be NaN: its moments are dropped below.
    V m1 = io.load(first);
    V m2 = io.load(second);
    const V direction = adamDirection(g, m1, m2, rates, V(at.inverseRootOfSecond), V(epsilon));
    io.store(first, select(kept, m1, zero));
    io.store(second, select(kept, m2, zero));
    w = select(kept, fma(V(-at.size), direction, w), zero);
    io.store(weight, w);
    copies.store(io, w, kept);
  }
};

// For one tensor: counts the step and gives Adam's coefficients for it.
struct AdamAdvance {
  float* steps = nullptr;
  AdamStep<double>* coefficients = nullptr;
  const float* skip = nullptr;
  double learningRate = 0;
  double beta1 = 0;
  double beta2 = 0;
  ESPALIER_INLINE void operator()() const {
    if (isRaised(skip)) return;
    *steps += 1.0f;
    *coefficients = adamStep(learningRate, beta1, beta2, *steps);
  }
};

}  // namespace espalier::kernels
