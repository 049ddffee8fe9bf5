#pragma once

// The per-element mathematics of every kernel, written once. `V` is what one step computes with: a scalar
// (float64 on the CPU, one CUDA thread), or some neighbouring elements (SIMD lanes on the CPU, cuda/pack.h).
// Such a type brings its own fma, abs, select and the like, found by argument-dependent lookup.
//
// Everything here is inlined by force: the same text is compiled for several instruction sets, and a copy
// that is not inlined could be merged by the linker with one that the machine cannot run.

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define ESPALIER_INLINE __host__ __device__ __forceinline__
#else
#define ESPALIER_INLINE inline __attribute__((always_inline))
#endif

namespace espalier::kernels {

ESPALIER_INLINE float bitsToFloat(int32_t bits) {
#ifdef __CUDA_ARCH__
  return __int_as_float(bits);
#else
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
#endif
}

ESPALIER_INLINE int32_t floatToBits(float value) {
#ifdef __CUDA_ARCH__
  return __float_as_int(value);
#else
  int32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
#endif
}

// One rounding where the target has the instruction. The baseline CPU has none, and libm's would be a call:
// there a float goes by way of double, where the product is exact, since the gate subtracts what nearly
// cancels. The emulation of the GPU takes the call.
ESPALIER_INLINE float fma(float a, float b, float c) {
#if defined(__CUDA_ARCH__) || defined(__FMA__) || defined(ESPALIER_EMULATION)
  return __builtin_fmaf(a, b, c);
#else
  return static_cast<float>(static_cast<double>(a) * b + c);
#endif
}
ESPALIER_INLINE double fma(double a, double b, double c) {
#if defined(__CUDA_ARCH__) || defined(__FMA__) || defined(ESPALIER_EMULATION)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

ESPALIER_INLINE float abs(float x) { return __builtin_fabsf(x); }
ESPALIER_INLINE double abs(double x) { return __builtin_fabs(x); }
ESPALIER_INLINE float sqrt(float x) { return __builtin_sqrtf(x); }
ESPALIER_INLINE double sqrt(double x) { return __builtin_sqrt(x); }
// The larger; NaN if either is, unlike std::max.
ESPALIER_INLINE float max(float a, float b) { return a > b || a != a ? a : b; }
ESPALIER_INLINE double max(double a, double b) { return a > b || a != a ? a : b; }
template <class T>
ESPALIER_INLINE T select(bool condition, T yes, T no) {
  return condition ? yes : no;
}

// exp(x) for x <= 0 to 3e-7 of its value, exactly 0 below -80: so the gate of LTP is a normal number or zero.
// Cody-Waite reduction to [-ln 2 / 2, ln 2 / 2], Taylor to degree 6; the lanes do the same in the same order.
ESPALIER_INLINE float expOfNegative(float x) {
  constexpr float kLowest = -80.0f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float bounded = x < kLowest ? kLowest : x;
  const float shifted = fma(bounded, 1.44269504088896341f, kRound);
  const float n = shifted - kRound;
  float r = fma(n, -0.693145752f, bounded);
  r = fma(n, -1.42860677e-6f, r);
  float p = fma(r, 1.38888889e-3f, 8.33333333e-3f);
  p = fma(p, r, 4.16666667e-2f);
  p = fma(p, r, 1.66666667e-1f);
  p = fma(p, r, 0.5f);
  p = fma(p, r, 1.0f);
  p = fma(p, r, 1.0f);
  const int32_t exponent = floatToBits(shifted) - 0x4B400000 + 127;
  const float result = p * bitsToFloat(static_cast<int32_t>(static_cast<uint32_t>(exponent) << 23));
  return x < kLowest ? 0.0f : result;
}
ESPALIER_INLINE double expOfNegative(double x) { return ::exp(x); }

// The gate of Learned Threshold Pruning (Azarian et al. 2020, eq. 4 to 6) and its slope.
template <class V>
struct Gate {
  V distance;  // w^2 - threshold: the weight is kept where it is positive
  V z;         // distance / temperature
  V open;      // sigmoid(z)
  V slope;     // sigmoid'(z), without the cancellation of open * (1 - open)
};

template <class V>
ESPALIER_INLINE Gate<V> ltpGate(V weight, V threshold, V inverseTemperature) {
  Gate<V> gate;
  // One rounding: the square and the threshold nearly cancel in the region that matters.
  gate.distance = fma(weight, weight, V(0) - threshold);
  gate.z = gate.distance * inverseTemperature;
  const V e = expOfNegative(V(0) - abs(gate.z));
  const V inverse = V(1) / (V(1) + e);
  const V low = e * inverse;
  gate.open = select(gate.z >= V(0), inverse, low);
  gate.slope = low * inverse;
  return gate;
}

// torch.optim.SGD: what to subtract, times the learning rate. `momentum` is updated.
template <class V>
ESPALIER_INLINE V sgdStep(V gradient, V& momentum, V mu, bool nesterov) {
  momentum = fma(mu, momentum, gradient);
  return nesterov ? fma(mu, momentum, gradient) : momentum;
}

// torch.optim.Adam's coefficients of one step, from the number of steps done with it.
template <class T>
struct AdamStep {
  T size;                 // learningRate / (1 - beta1^t)
  T inverseRootOfSecond;  // 1 / sqrt(1 - beta2^t)
};

ESPALIER_INLINE AdamStep<double> adamStep(double learningRate, double beta1, double beta2, double steps) {
  return {learningRate / (1 - ::pow(beta1, steps)), 1 / ::sqrt(1 - ::pow(beta2, steps))};
}

// 1 - beta, rounded by itself: 1 - 0.999 in float32 would be off by 1e-5 of its value.
template <class T>
struct AdamRates {
  T first;
  T second;
};
template <class T>
ESPALIER_INLINE AdamRates<T> adamRates(double beta1, double beta2) {
  return {static_cast<T>(1 - beta1), static_cast<T>(1 - beta2)};
}

template <class V, class T>
ESPALIER_INLINE V adamDirection(V gradient, V& first, V& second, const AdamRates<T>& rates,
                                V inverseRootOfSecond, V epsilon) {
  first = fma(V(rates.first), gradient - first, first);
  second = fma(V(rates.second), gradient * gradient - second, second);
  return first / fma(sqrt(second), inverseRootOfSecond, epsilon);
}

// sign(x) * max(|x| - delta, 0)
template <class V>
ESPALIER_INLINE V softThreshold(V x, V delta) {
  const V shrunk = abs(x) - delta;
  return select(shrunk > V(0), select(x > V(0), shrunk, V(0) - shrunk), V(0));
}

}  // namespace espalier::kernels
