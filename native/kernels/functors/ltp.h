#pragma once

#include "kernels/functors/functor.h"

// Learned Threshold Pruning (Azarian, Bhalgat, Lee, Blankevoort 2020, arXiv 2003.00075). A layer has one
// threshold, on the square of its weights, and one temperature, both float64 on the device.
//
// A gate that is all but shut makes numbers that are not normal of weights and gradients, and some processors
// take a hundred cycles more for each: kFlushesDenormals, where the device can, makes them zero.
namespace espalier::kernels {

template <class T>
struct LtpScalars {
  T threshold;
  T inverseTemperature;
};
template <class T>
ESPALIER_INLINE LtpScalars<T> ltpScalars(const double* threshold, const double* temperature) {
  return {T(*threshold), T(1.0 / *temperature)};
}

// The weight that the network sees: v = w * sigmoid((w^2 - threshold) / temperature) (eq. 4).
template <class T, class H>
struct LtpGate {
  static constexpr bool kFlushesDenormals = true;
  static constexpr int kSums = 4;  // kept, soft count, in transition (|z| < 4), sum of slopes
  using Scalars = LtpScalars<T>;
  const T* weight = nullptr;
  H* effective = nullptr;  // null: only the sums
  const double* threshold = nullptr;
  const double* temperature = nullptr;
  const bool* mask = nullptr;    // of weights that were pruned before: false is not counted
  bool isCounting = true;        // false: of the sums only the first
  const bool* wanted = nullptr;  // null, or on the device: false leaves the layer as it is

  ESPALIER_INLINE bool idle() const { return wanted != nullptr && !*wanted; }
  ESPALIER_INLINE Scalars scalars() const { return ltpScalars<T>(threshold, temperature); }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars& at, Io& io) const {
    underMask(io, mask, [&](auto kept) { apply(at, io, kept); });
  }
  template <class Io, class M>
  ESPALIER_INLINE void apply(const Scalars& at, Io& io, M kept) const {
    using V = typename Io::V;
    const V zero(T(0));
    const V one(T(1));
    const V w = io.load(weight);
    const Gate<V> gate = ltpGate(w, V(at.threshold), V(at.inverseTemperature));
    if (effective != nullptr) io.store(effective, select(kept, w * gate.open, zero));
    io.sum(0, select(kept, select(gate.distance > zero, one, zero), zero));
    if (!isCounting) return;
    io.sum(1, select(kept, gate.open, zero));
    io.sum(2, select(kept, select(V(T(4)) > abs(gate.z), one, zero), zero));
    io.sum(3, select(kept, gate.slope, zero));
  }
};

// The weight's update from the gradient of its effective weight, and the sums that the threshold's needs: of
// the weight before the update, under the threshold of the forward.
template <class T, class H>
struct LtpStep {
  static constexpr bool kFlushesDenormals = true;
  static constexpr int kSums = 3;  // S0 = sum d, S1 = sum d g w, S2 = sum d |g w|, with d the gate's slope
  using Scalars = LtpScalars<T>;
  T* weight = nullptr;
  const H* gradient = nullptr;
  T* momentum = nullptr;
  const bool* mask = nullptr;
  const double* threshold = nullptr;
  const double* temperature = nullptr;
  const float* skip = nullptr;
  T learningRate = 0;
  T mu = 0;
  T weightDecay = 0;
  T lambda = 0;
  bool nesterov = false;
  bool exact = false;

  ESPALIER_INLINE bool idle() const { return isRaised(skip); }
  ESPALIER_INLINE Scalars scalars() const { return ltpScalars<T>(threshold, temperature); }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars& at, Io& io) const {
    underMask(io, mask, [&](auto kept) { apply(at, io, kept); });
  }
  template <class Io, class M>
  ESPALIER_INLINE void apply(const Scalars& at, Io& io, M kept) const {
    using V = typename Io::V;
    const V zero(T(0));
    V w = io.load(weight);
    const V g = io.load(gradient);
    const Gate<V> gate = ltpGate(w, V(at.threshold), V(at.inverseTemperature));
    const V gw = g * w;
    io.sum(0, select(kept, gate.slope, zero));
    io.sum(1, select(kept, gate.slope * gw, zero));
    io.sum(2, select(kept, gate.slope * abs(gw), zero));
    V step = g * gate.open;  // eq. 14: the gate is a constant for the weight
    if (exact) {
      const V slope = V(T(2)) * w * V(at.inverseTemperature) * gate.slope;
      step = fma(slope, gw + V(lambda), step);
    }
    step = fma(V(weightDecay), w, step);
    if (momentum != nullptr) {
      V b = io.load(momentum);
      step = sgdStep(step, b, V(mu), nesterov);
      io.store(momentum, select(kept, b, zero));
    }
    io.store(weight, select(kept, fma(V(-learningRate), step, w), zero));
  }
};

// For one layer: the threshold's step from the sums of LtpStep. 'plain' is the paper's gradient step,
// 'normalised' moves by at most `rate` temperatures, with the same equilibrium.
struct LtpThresholdStep {
  const double* sums = nullptr;  // S0, S1, S2
  double* threshold = nullptr;
  double* previous = nullptr;  // the threshold before the step, for LtpCap
  const double* temperature = nullptr;
  const double* rate = nullptr;
  const float* skip = nullptr;
  const float* hold = nullptr;  // 1: thresholds may fall and not rise, a target is reached
  double lambda = 0;
  bool normalised = true;

  ESPALIER_INLINE void operator()() const {
    *previous = *threshold;
    if (isRaised(skip)) return;
    const double pull = sums[1] + lambda * sums[0];  // -temperature * dL/dthreshold
    const double rise = normalised ? *rate * *temperature * pull / (sums[2] + lambda * sums[0] + 1e-30)
                                   : *rate * pull / *temperature;
    if (rise > 0 && isRaised(hold)) return;
    const double moved = *threshold + rise;
    *threshold = moved > 0 ? moved : 0;
  }
};

// For one layer, after LtpGate: a step that leaves fewer than `leastKept` weights is undone, and the layer is
// wanted once more. Where there is no step to undo (the weights shrank) the threshold falls by a tenth.
struct LtpCap {
  const double* kept = nullptr;  // LtpGate's first sum
  double* threshold = nullptr;
  const double* previous = nullptr;
  bool* again = nullptr;
  double leastKept = 0;
  ESPALIER_INLINE void operator()() const {
    *again = *kept < leastKept && *threshold > 0;
    if (*again) *threshold = *previous < *threshold ? *previous : 0.9 * *threshold;
  }
};

}  // namespace espalier::kernels
