#include "kernels/cpu/select_scan.h"

#include <cstring>

#if defined(CPU_CAPABILITY_AVX512) || defined(CPU_CAPABILITY_AVX2)
#include <immintrin.h>
#endif

// Compiled for the baseline, AVX2 and AVX-512; plain loops, which the compiler makes wide, but for the
// gathering of keys, which it cannot.
namespace espalier::kernels::cpu {

namespace {

inline __attribute__((always_inline)) Key keyOf(float value) {
  Key bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits & kMagnitude;
}

inline __attribute__((always_inline)) int64_t gatherOne(Key key, Key low, Key high, Key* out) {
  *out = key;
  return key > low && key < high ? 1 : 0;
}

int64_t gather(const float* values, int64_t n, Key low, Key high, Key* inside) {
  int64_t count = 0;
  int64_t i = 0;
#if defined(CPU_CAPABILITY_AVX512)
  const __m512i lows = _mm512_set1_epi32(static_cast<int>(low));
  const __m512i highs = _mm512_set1_epi32(static_cast<int>(high));
  const __m512i magnitude = _mm512_set1_epi32(static_cast<int>(kMagnitude));
  for (; i + 16 <= n; i += 16) {
    const __m512i keys = _mm512_and_si512(_mm512_loadu_si512(values + i), magnitude);
    const __mmask16 in = _mm512_mask_cmplt_epu32_mask(_mm512_cmpgt_epu32_mask(keys, lows), keys, highs);
    if (in == 0) continue;
    _mm512_storeu_si512(inside + count, _mm512_maskz_compress_epi32(in, keys));
    count += __builtin_popcount(in);
  }
#elif defined(CPU_CAPABILITY_AVX2)
  const __m256i lows = _mm256_set1_epi32(static_cast<int>(low));
  const __m256i highs = _mm256_set1_epi32(static_cast<int>(high));
  const __m256i magnitude = _mm256_set1_epi32(static_cast<int>(kMagnitude));
  for (; i + 8 <= n; i += 8) {
    const __m256i keys =
        _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i)), magnitude);
    const __m256i in = _mm256_and_si256(_mm256_cmpgt_epi32(keys, lows), _mm256_cmpgt_epi32(highs, keys));
    int lanes = _mm256_movemask_ps(_mm256_castsi256_ps(in));
    for (; lanes != 0; lanes &= lanes - 1) inside[count++] = keyOf(values[i + __builtin_ctz(lanes)]);
  }
#endif
  for (; i < n; ++i) count += gatherOne(keyOf(values[i]), low, high, inside + count);
  return count;
}

int64_t scan(const float* values, int64_t n, Key low, Key high, Key* inside, ScanCounts& counts) {
  // Blocks that stay in the first cache between the two loops; 32-bit counters suffice for one.
  constexpr int64_t kBlock = 4096;
  int64_t found = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t size = n - begin < kBlock ? n - begin : kBlock;
    const float* block = values + begin;
    int32_t below = 0;
    int32_t equalLow = 0;
    int32_t equalHigh = 0;
    int32_t notANumber = 0;
    for (int64_t i = 0; i < size; ++i) {
      const Key key = keyOf(block[i]);
      below += key < low ? 1 : 0;
      equalLow += key == low ? 1 : 0;
      equalHigh += key == high ? 1 : 0;
      notANumber += key > kInfinity ? 1 : 0;
    }
    counts.below += below;
    counts.equalLow += equalLow;
    counts.equalHigh += low == high ? 0 : equalHigh;
    counts.notANumber += notANumber;
    found += gather(block, size, low, high, inside + found);
  }
  return found;
}

int64_t mask(const float* values, int64_t n, Key threshold, bool keepEqual, bool* kept) {
  constexpr int64_t kBlock = 4096;
  int64_t equal = 0;
  const Key least = threshold + (keepEqual ? 0 : 1);
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t size = n - begin < kBlock ? n - begin : kBlock;
    int32_t ties = 0;
    for (int64_t i = begin; i < begin + size; ++i) {
      const Key key = keyOf(values[i]);
      kept[i] = key >= least;
      ties += key == threshold ? 1 : 0;
    }
    equal += ties;
  }
  return equal;
}

int64_t countBelow(const float* values, int64_t n, Key threshold) {
  constexpr int64_t kBlock = 4096;
  int64_t count = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = n - begin < kBlock ? n : begin + kBlock;
    int32_t below = 0;
    for (int64_t i = begin; i < end; ++i) below += keyOf(values[i]) < threshold ? 1 : 0;
    count += below;
  }
  return count;
}

}  // namespace

#if defined(CPU_CAPABILITY_AVX512)
constinit const SelectPasses kSelectAvx512 = {scan, mask, countBelow};
#elif defined(CPU_CAPABILITY_AVX2)
constinit const SelectPasses kSelectAvx2 = {scan, mask, countBelow};
#else
constinit const SelectPasses kSelectDefault = {scan, mask, countBelow};
#endif

}  // namespace espalier::kernels::cpu
