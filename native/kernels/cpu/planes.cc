#include "kernels/cpu/planes.h"

// Compiled for the baseline, AVX2 and AVX-512; plain loops, which the compiler makes wide. Sums go over
// sixteen lanes a block of a plane, and over blocks in float64: their order is that of the code, not of the
// machine. Nothing of the standard library here: the linker keeps one copy of an inline function, and it may
// be the widest.
namespace espalier::kernels::cpu {

namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kBlock = 4096;
// Windows of a pair of rows that are worked on at once, in buffers on the stack.
constexpr int64_t kWindows = 64;

// The sum of term(i) for i < n.
template <class Term>
inline __attribute__((always_inline)) double sumOf(int64_t n, const Term& term) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    float lanes[kLanes] = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
    }
    for (int64_t lane = 0; i < end; ++i, ++lane) lanes[lane] += term(i);
    for (const float lane : lanes) total += static_cast<double>(lane);
  }
  return total;
}

Moments moments(const float* x, const Images& images) {
  const int64_t size = images.height * images.width;
  double sum = 0;
  for (int64_t n = 0; n < images.samples; ++n) {
    const float* plane = x + n * images.stride;
    sum += sumOf(size, [plane](int64_t i) { return plane[i]; });
  }
  Moments result;
  result.mean = sum / static_cast<double>(images.samples * size);
  const auto mean = static_cast<float>(result.mean);
  for (int64_t n = 0; n < images.samples; ++n) {
    const float* plane = x + n * images.stride;
    result.squares += sumOf(size, [plane, mean](int64_t i) {
      const float gap = plane[i] - mean;
      return gap * gap;
    });
  }
  return result;
}

// As at::relu: not a number stays what it is.
inline __attribute__((always_inline)) float relued(float z) { return z <= 0 ? 0 : z; }

void relu(const float* __restrict x, const Images& images, Affine affine, float* __restrict y) {
  const int64_t size = images.height * images.width;
  for (int64_t n = 0; n < images.samples; ++n) {
    const float* __restrict from = x + n * images.stride;
    float* __restrict to = y + n * images.stride;
    for (int64_t i = 0; i < size; ++i) to[i] = relued(affine.scale * from[i] + affine.shift);
  }
}

// The largest of each window of two rows and which it is; the first of equal ones, and not a number before
// all.
inline __attribute__((always_inline)) void poolRows(const float* __restrict upper,
                                                    const float* __restrict lower, int64_t windows,
                                                    float* __restrict best, int32_t* __restrict chosen) {
  for (int64_t j = 0; j < windows; ++j) {
    // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): the caller has filled 2 * windows of each
    float most = upper[2 * j];
    int32_t at = 0;
    const auto meet = [&](float value, int32_t index) __attribute__((always_inline)) {
      const bool more = (value > most) | (value != value);
      most = more ? value : most;
      at = more ? index : at;
    };
    meet(upper[2 * j + 1], 1);
    meet(lower[2 * j], 2);
    meet(lower[2 * j + 1], 3);
    best[j] = relued(most);
    chosen[j] = most <= 0 ? kCut : at;
  }
}

void reluPool(const float* __restrict x, const Images& images, Affine affine, float* __restrict y,
              int32_t* __restrict chosen) {
  const int64_t width = images.width;
  const int64_t windows = width / 2;
  float upper[2 * kWindows];
  float lower[2 * kWindows];
  for (int64_t n = 0; n < images.samples; ++n) {
    for (int64_t row = 0; row + 1 < images.height; row += 2) {
      for (int64_t begin = 0; begin < windows; begin += kWindows) {
        const int64_t count = windows - begin < kWindows ? windows - begin : kWindows;
        const float* __restrict from = x + n * images.stride + row * width + 2 * begin;
        const int64_t at = n * images.pooledStride + row / 2 * windows + begin;
        for (int64_t i = 0; i < 2 * count; ++i) upper[i] = affine.scale * from[i] + affine.shift;
        for (int64_t i = 0; i < 2 * count; ++i) lower[i] = affine.scale * from[width + i] + affine.shift;
        poolRows(upper, lower, count, y + at, chosen + at);
      }
    }
  }
}

void pool(const float* __restrict x, int64_t height, int64_t width, float* __restrict y) {
  const int64_t windows = width / 2;
  for (int64_t row = 0; row + 1 < height; row += 2) {
    const float* __restrict upper = x + row * width;
    const float* __restrict lower = upper + width;
    float* __restrict to = y + row / 2 * windows;
    for (int64_t j = 0; j < windows; ++j) {
      float most = upper[2 * j];
      const float others[] = {upper[2 * j + 1], lower[2 * j], lower[2 * j + 1]};
      for (const float value : others) most = (value > most) | (value != value) ? value : most;
      to[j] = relued(most);
    }
  }
}

GradientSums gradientSums(const float* x, const Images& images, Affine affine, float mean, const float* dy,
                          float* room) {
  const int64_t size = images.height * images.width;
  GradientSums sums;
  for (int64_t n = 0; n < images.samples; ++n) {
    const float* __restrict plane = x + n * images.stride;
    const float* __restrict given = dy + n * images.stride;
    float* __restrict dz = room;
    for (int64_t i = 0; i < size; ++i) dz[i] = affine.scale * plane[i] + affine.shift <= 0 ? 0 : given[i];
    sums.dy += sumOf(size, [dz](int64_t i) { return dz[i]; });
    sums.dyCentred += sumOf(size, [dz, plane, mean](int64_t i) { return dz[i] * (plane[i] - mean); });
  }
  return sums;
}

void gradient(const float* x, const Images& images, Affine affine, InputGradient parts, const float* dy,
              float* dx) {
  const int64_t size = images.height * images.width;
  for (int64_t n = 0; n < images.samples; ++n) {
    const float* __restrict plane = x + n * images.stride;
    const float* __restrict given = dy + n * images.stride;
    float* __restrict to = dx + n * images.stride;
    for (int64_t i = 0; i < size; ++i) {
      const float dz = affine.scale * plane[i] + affine.shift <= 0 ? 0 : given[i];
      to[i] = parts.scale * dz + (parts.slope * (plane[i] - parts.mean) + parts.offset);
    }
  }
}

// Only where a window's maximum stands does a gradient arrive: the sums go over windows.
GradientSums pooledGradientSums(const float* x, const Images& images, float mean, const float* dy,
                                const int32_t* chosen, float* room) {
  const int64_t windows = images.width / 2;
  const int64_t size = images.height / 2 * windows;
  GradientSums sums;
  for (int64_t n = 0; n < images.samples; ++n) {
    const float* __restrict given = dy + n * images.pooledStride;
    const int32_t* __restrict where = chosen + n * images.pooledStride;
    float* __restrict dz = room;
    float* __restrict centred = room + size;
    for (int64_t row = 0; row < images.height / 2; ++row) {
      const float* __restrict upper = x + n * images.stride + 2 * row * images.width;
      const float* __restrict lower = upper + images.width;
      float* __restrict to = centred + row * windows;
      const int32_t* __restrict at = where + row * windows;
      for (int64_t j = 0; j < windows; ++j) {
        const int32_t k = at[j];
        const float upperLeft = upper[2 * j];
        const float upperRight = upper[2 * j + 1];
        const float lowerLeft = lower[2 * j];
        const float lowerRight = lower[2 * j + 1];
        const float left = k == 2 ? lowerLeft : upperLeft;
        const float right = k == 3 ? lowerRight : upperRight;
        to[j] = ((k & 1) != 0 ? right : left) - mean;
      }
    }
    for (int64_t i = 0; i < size; ++i) {
      const int32_t k = where[i];
      dz[i] = k == kCut ? 0 : given[i];
    }
    sums.dy += sumOf(size, [dz](int64_t i) { return dz[i]; });
    sums.dyCentred += sumOf(size, [dz, centred](int64_t i) { return dz[i] * centred[i]; });
  }
  return sums;
}

void pooledGradient(const float* x, const Images& images, InputGradient parts, const float* dy,
                    const int32_t* chosen, float* dx) {
  const int64_t width = images.width;
  const int64_t windows = width / 2;
  float share[kWindows];
  for (int64_t n = 0; n < images.samples; ++n) {
    for (int64_t row = 0; row < images.height / 2; ++row) {
      for (int64_t begin = 0; begin < windows; begin += kWindows) {
        const int64_t count = windows - begin < kWindows ? windows - begin : kWindows;
        const int64_t at = n * images.pooledStride + row * windows + begin;
        const int64_t first = n * images.stride + 2 * row * width + 2 * begin;
        const int32_t* __restrict place = chosen + at;
        for (int64_t j = 0; j < count; ++j) share[j] = parts.scale * dy[at + j];
        for (int32_t line = 0; line < 2; ++line) {
          const float* __restrict from = x + first + line * width;
          float* __restrict to = dx + first + line * width;
          const int32_t left = 2 * line;
          for (int64_t j = 0; j < count; ++j) {
            const float one = place[j] == left ? share[j] : 0;
            const float two = place[j] == left + 1 ? share[j] : 0;
            to[2 * j] = one + (parts.slope * (from[2 * j] - parts.mean) + parts.offset);
            to[2 * j + 1] = two + (parts.slope * (from[2 * j + 1] - parts.mean) + parts.offset);
          }
        }
      }
    }
  }
}

constexpr PlanePasses kPasses = {moments,        relu, reluPool, gradientSums, gradient, pooledGradientSums,
                                 pooledGradient, pool};

}  // namespace

#if defined(CPU_CAPABILITY_AVX512)
constinit const PlanePasses kPlanesAvx512 = kPasses;
#elif defined(CPU_CAPABILITY_AVX2)
constinit const PlanePasses kPlanesAvx2 = kPasses;
#else
constinit const PlanePasses kPlanesDefault = kPasses;
#endif

}  // namespace espalier::kernels::cpu
