#pragma once

// The lanes of AVX2 and AVX-512 as the arithmetic type of functors. Only for files compiled for one of them:
// everything is inlined by force and in a namespace of its instruction set (see math.h).

#include <ATen/cpu/vec/vec.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "kernels/math.h"

namespace espalier::kernels::ESPALIER_ISA {

using Floats = at::vec::Vectorized<float>;
using Integers = at::vec::Vectorized<int32_t>;
constexpr int kWidth = Floats::size();

struct Lanes {
  Floats v;
  ESPALIER_INLINE Lanes() : v(0.0f) {}
  ESPALIER_INLINE Lanes(Floats floats) : v(floats) {}
  ESPALIER_INLINE explicit Lanes(float x) : v(x) {}
};

ESPALIER_INLINE Lanes operator+(Lanes a, Lanes b) { return a.v + b.v; }
ESPALIER_INLINE Lanes operator-(Lanes a, Lanes b) { return a.v - b.v; }
ESPALIER_INLINE Lanes operator*(Lanes a, Lanes b) { return a.v * b.v; }
ESPALIER_INLINE Lanes operator/(Lanes a, Lanes b) { return a.v / b.v; }
ESPALIER_INLINE Lanes fma(Lanes a, Lanes b, Lanes c) { return at::vec::fmadd(a.v, b.v, c.v); }
ESPALIER_INLINE Lanes abs(Lanes x) { return x.v.abs(); }
ESPALIER_INLINE Lanes sqrt(Lanes x) { return x.v.sqrt(); }

// Adding it rounds to an integer n, whose bits are then the lowest of the sum.
constexpr float kRound = 12582912.0f;  // 1.5 * 2^23

// Of each set: select; greater(a, b), which is b where a is no number; scaled: p * 2^n of `shifted`, n and
// kRound, and 0 where not `condition`.
#if defined(CPU_CAPABILITY_AVX512)
// A mask register: ATen's comparisons make a vector of it, and its blend a mask again.
struct LaneMask {
  __mmask16 v;
};
ESPALIER_INLINE LaneMask operator>(Lanes a, Lanes b) {
  return {_mm512_cmp_ps_mask(__m512(a.v), __m512(b.v), _CMP_GT_OQ)};
}
ESPALIER_INLINE LaneMask operator>=(Lanes a, Lanes b) {
  return {_mm512_cmp_ps_mask(__m512(a.v), __m512(b.v), _CMP_GE_OQ)};
}
ESPALIER_INLINE Lanes select(LaneMask condition, Lanes yes, Lanes no) {
  return Floats(_mm512_mask_blend_ps(condition.v, __m512(no.v), __m512(yes.v)));
}
ESPALIER_INLINE Floats greater(Floats a, Floats b) { return _mm512_max_ps(__m512(a), __m512(b)); }
ESPALIER_INLINE Lanes scaled(LaneMask condition, Floats p, Floats shifted) {
  return Floats(_mm512_maskz_scalef_ps(condition.v, __m512(p), __m512(shifted - Floats(kRound))));
}
#else
// All bits set where true.
struct LaneMask {
  Floats v;
};
ESPALIER_INLINE LaneMask operator>(Lanes a, Lanes b) { return {a.v > b.v}; }
ESPALIER_INLINE LaneMask operator>=(Lanes a, Lanes b) { return {a.v >= b.v}; }
ESPALIER_INLINE Lanes select(LaneMask condition, Lanes yes, Lanes no) {
  return Floats::blendv(no.v, yes.v, condition.v);
}
ESPALIER_INLINE Floats greater(Floats a, Floats b) { return _mm256_max_ps(__m256(a), __m256(b)); }
ESPALIER_INLINE Lanes scaled(LaneMask condition, Floats p, Floats shifted) {
  using at::vec::cast;
  const Integers exponent = (cast<int32_t, float>(shifted) - Integers(0x4B400000 - 127)) << Integers(23);
  return Floats::blendv(Floats(0.0f), p * cast<float, int32_t>(exponent), condition.v);
}
#endif

// The operations of the scalar one, in its order.
ESPALIER_INLINE Lanes expOfNegative(Lanes x) {
  using at::vec::fmadd;
  const Floats lowest(-80.0f);
  const Floats round(kRound);
  const Floats bounded = greater(x.v, lowest);
  const Floats shifted = fmadd(bounded, Floats(1.44269504088896341f), round);
  const Floats n = shifted - round;
  Floats r = fmadd(n, Floats(-0.693145752f), bounded);
  r = fmadd(n, Floats(-1.42860677e-6f), r);
  Floats p = fmadd(r, Floats(1.38888889e-3f), Floats(8.33333333e-3f));
  p = fmadd(p, r, Floats(4.16666667e-2f));
  p = fmadd(p, r, Floats(1.66666667e-1f));
  p = fmadd(p, r, Floats(0.5f));
  p = fmadd(p, r, Floats(1.0f));
  p = fmadd(p, r, Floats(1.0f));
  return scaled(x >= Lanes(lowest), p, shifted);
}

// kWidth neighbours in memory.
ESPALIER_INLINE Lanes loadLanes(const float* p) { return Floats::loadu(p); }
ESPALIER_INLINE void storeLanes(float* p, Lanes x) { x.v.store(p); }

#if defined(CPU_CAPABILITY_AVX512)
ESPALIER_INLINE __m256i loadHalves(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
ESPALIER_INLINE Lanes loadLanes(const c10::BFloat16* p) {
  return Floats(_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(loadHalves(p)), 16)));
}
ESPALIER_INLINE Lanes loadLanes(const c10::Half* p) { return Floats(_mm512_cvtph_ps(loadHalves(p))); }
ESPALIER_INLINE LaneMask loadLanes(const bool* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm_test_epi8_mask(bytes, bytes)};
}
ESPALIER_INLINE void storeLanes(c10::BFloat16* p, Lanes x) {
  // To the nearest, ties to even; a NaN keeps its highest bits and stays one.
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q);
  const __m512i high = _mm512_mask_mov_epi32(_mm512_srli_epi32(rounded, 16), nan, _mm512_set1_epi32(0x7fc0));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(high));
}
ESPALIER_INLINE void storeLanes(c10::Half* p, Lanes x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#else
ESPALIER_INLINE __m128i loadHalves(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
ESPALIER_INLINE Lanes loadLanes(const c10::BFloat16* p) {
  return Floats(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(loadHalves(p)), 16)));
}
ESPALIER_INLINE Lanes loadLanes(const c10::Half* p) { return Floats(_mm256_cvtph_ps(loadHalves(p))); }
ESPALIER_INLINE LaneMask loadLanes(const bool* p) {
  const __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return {Floats(_mm256_castsi256_ps(_mm256_sub_epi32(_mm256_setzero_si256(), wide)))};
}
ESPALIER_INLINE void storeLanes(c10::BFloat16* p, Lanes x) {
  const __m256i bits = _mm256_castps_si256(x.v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q));
  const __m256i high = _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 16), _mm256_set1_epi32(0x7fc0), nan);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(high, high), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
}
ESPALIER_INLINE void storeLanes(c10::Half* p, Lanes x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#endif

}  // namespace espalier::kernels::ESPALIER_ISA
