#include "kernels/cpu/pixels.h"

// Compiled for the baseline, AVX2 and AVX-512: sixteen channels at a time, which the compiler makes wide, and
// what is left of them one by one. Sums go over blocks of pixels, and over blocks in float64. Nothing of the
// standard library here: the linker keeps one copy of an inline function, and it may be the widest.
namespace espalier::kernels::cpu {

namespace {

constexpr int kLanes = 16;
constexpr int64_t kBlock = 64;

ESPALIER_INLINE float relued(float z) { return z <= 0 ? 0 : z; }

// body.template operator()<width>(first): `width` channels from `first` on.
template <class Body>
ESPALIER_INLINE void forGroups(int64_t channels, const Body& body) {
  int64_t first = 0;
  for (; first + kLanes <= channels; first += kLanes) body.template operator()<kLanes>(first);
  for (; first < channels; ++first) body.template operator()<1>(first);
}

template <int kWidth>
struct Values {
  float lane[kWidth];
  ESPALIER_INLINE explicit Values(const float* from) {
    for (int i = 0; i < kWidth; ++i) lane[i] = from[i];
  }
};

// Adds term(pixel, lane) over all pixels to `sums`, two sums at once.
template <int kWidth, class Term>
ESPALIER_INLINE void addUp(int64_t pixels, double* sums, double* others, const Term& term) {
  double total[kWidth] = {};
  double totalOther[kWidth] = {};
  for (int64_t begin = 0; begin < pixels; begin += kBlock) {
    const int64_t end = begin + kBlock < pixels ? begin + kBlock : pixels;
    float lanes[kWidth] = {};
    float other[kWidth] = {};
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      for (int i = 0; i < kWidth; ++i) term(pixel, i, lanes[i], other[i]);
    }
    for (int i = 0; i < kWidth; ++i) total[i] += static_cast<double>(lanes[i]);
    for (int i = 0; i < kWidth; ++i) totalOther[i] += static_cast<double>(other[i]);
  }
  for (int i = 0; i < kWidth; ++i) sums[i] += total[i];
  if (others == nullptr) return;
  for (int i = 0; i < kWidth; ++i) others[i] += totalOther[i];
}

template <class Element>
void sums(const Element* x, const Image& image, double* sums) {
  const int64_t stride = image.channels;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Element* from = x + first;
    addUp<kWidth>(image.height * image.width, sums + first, nullptr,
                  [from, stride](int64_t pixel, int i, float& sum, float&)
                      __attribute__((always_inline)) { sum += from[pixel * stride + i]; });
  });
}

template <class Element>
void squares(const Element* x, const Image& image, const float* mean, double* squares) {
  const int64_t stride = image.channels;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Element* from = x + first;
    const Values<kWidth> means(mean + first);
    addUp<kWidth>(image.height * image.width, squares + first, nullptr,
                  [&](int64_t pixel, int i, float& sum, float&) __attribute__((always_inline)) {
                    const float gap = from[pixel * stride + i] - means.lane[i];
                    sum += gap * gap;
                  });
  });
}

template <class Element>
void relu(const Element* x, const Image& image, Affines affines, Element* y) {
  const int64_t stride = image.channels;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Values<kWidth> scale(affines.scale + first);
    const Values<kWidth> shift(affines.shift + first);
    for (int64_t pixel = 0; pixel < image.height * image.width; ++pixel) {
      const Element* __restrict from = x + pixel * stride + first;
      Element* __restrict to = y + pixel * stride + first;
      for (int i = 0; i < kWidth; ++i) to[i] = relued(scale.lane[i] * from[i] + shift.lane[i]);
    }
  });
}

template <class Element>
void addRelu(const Element* x, const Image& image, Affines affines, const Element* other, Element* y) {
  const int64_t stride = image.channels;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Values<kWidth> scale(affines.scale + first);
    const Values<kWidth> shift(affines.shift + first);
    for (int64_t pixel = 0; pixel < image.height * image.width; ++pixel) {
      const Element* __restrict from = x + pixel * stride + first;
      const Element* __restrict added = other + pixel * stride + first;
      Element* __restrict to = y + pixel * stride + first;
      for (int i = 0; i < kWidth; ++i) to[i] = relued(scale.lane[i] * from[i] + shift.lane[i] + added[i]);
    }
  });
}

// window(output position, input position of its upper left value) for all windows of 2 x 2.
template <class Window>
ESPALIER_INLINE void forWindows(const Image& image, const Window& window) {
  const int64_t columns = image.width / 2;
  for (int64_t row = 0; row < image.height / 2; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      window((row * columns + column) * image.channels,
             (2 * row * image.width + 2 * column) * image.channels);
    }
  }
}

template <class Element>
void reluPool(const Element* x, const Image& image, Affines affines, Element* y, int32_t* chosen) {
  const int64_t line = image.width * image.channels;
  forGroups(image.channels, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Values<kWidth> scale(affines.scale + first);
    const Values<kWidth> shift(affines.shift + first);
    forWindows(image, [&](int64_t out, int64_t in) __attribute__((always_inline)) {
      const Element* __restrict from = x + in + first;
      Element* __restrict to = y + out + first;
      int32_t* __restrict where = chosen + out + first;
      for (int i = 0; i < kWidth; ++i) {
        const Element* at = from + i;
        const float a = scale.lane[i] * at[0] + shift.lane[i];
        const float b = scale.lane[i] * at[image.channels] + shift.lane[i];
        const float c = scale.lane[i] * at[line] + shift.lane[i];
        const float d = scale.lane[i] * at[line + image.channels] + shift.lane[i];
        float most = a;
        int32_t k = 0;
        const bool second = (b > most) | (b != b);
        most = second ? b : most;
        k = second ? 1 : k;
        const bool third = (c > most) | (c != c);
        most = third ? c : most;
        k = third ? 2 : k;
        const bool fourth = (d > most) | (d != d);
        most = fourth ? d : most;
        k = fourth ? 3 : k;
        to[i] = relued(most);
        where[i] = most <= 0 ? kCut : k;
      }
    });
  });
}

template <class Element>
void pool(const Element* x, const Image& image, Element* y) {
  const int64_t line = image.width * image.channels;
  forGroups(image.channels, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    forWindows(image, [&](int64_t out, int64_t in) __attribute__((always_inline)) {
      const Element* __restrict from = x + in + first;
      Element* __restrict to = y + out + first;
      for (int i = 0; i < kWidth; ++i) {
        const Element* at = from + i;
        float most = at[0];
        const float b = at[image.channels];
        most = (b > most) | (b != b) ? b : most;
        const float c = at[line];
        most = (c > most) | (c != c) ? c : most;
        const float d = at[line + image.channels];
        most = (d > most) | (d != d) ? d : most;
        to[i] = relued(most);
      }
    });
  });
}

template <class Element>
void gradientSums(const Element* x, const Image& image, Affines affines, const float* mean, const Element* dy,
                  double* sums, double* centred) {
  const int64_t stride = image.channels;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Values<kWidth> scale(affines.scale + first);
    const Values<kWidth> shift(affines.shift + first);
    const Values<kWidth> means(mean + first);
    const Element* from = x + first;
    const Element* given = dy + first;
    addUp<kWidth>(image.height * image.width, sums + first, centred + first,
                  [&](int64_t pixel, int i, float& sum, float& other) __attribute__((always_inline)) {
                    const float value = from[pixel * stride + i];
                    const float arriving = given[pixel * stride + i];
                    const float dz = scale.lane[i] * value + shift.lane[i] <= 0 ? 0 : arriving;
                    sum += dz;
                    other += dz * (value - means.lane[i]);
                  });
  });
}

template <class Element>
void gradient(const Element* x, const Image& image, Affines affines, InputGradients parts, const Element* dy,
              Element* dx) {
  const int64_t stride = image.channels;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Values<kWidth> scale(affines.scale + first);
    const Values<kWidth> shift(affines.shift + first);
    const Values<kWidth> slope(parts.slope + first);
    const Values<kWidth> mean(parts.mean + first);
    const Values<kWidth> offset(parts.offset + first);
    for (int64_t pixel = 0; pixel < image.height * image.width; ++pixel) {
      const Element* __restrict from = x + pixel * stride + first;
      const Element* __restrict given = dy + pixel * stride + first;
      Element* __restrict to = dx + pixel * stride + first;
      for (int i = 0; i < kWidth; ++i) {
        const float arriving = given[i];
        const float dz = scale.lane[i] * from[i] + shift.lane[i] <= 0 ? 0 : arriving;
        to[i] = scale.lane[i] * dz + (slope.lane[i] * (from[i] - mean.lane[i]) + offset.lane[i]);
      }
    }
  });
}

template <class Element>
void passedGradientSums(const Element* x, const Image& image, const float* mean, const Element* y,
                        const Element* dy, Element* dz, double* sums, double* centred) {
  const int64_t stride = image.channels;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Values<kWidth> means(mean + first);
    const Element* __restrict from = x + first;
    const Element* __restrict made = y + first;
    const Element* __restrict given = dy + first;
    Element* __restrict passed = dz + first;
    addUp<kWidth>(image.height * image.width, sums + first, centred + first,
                  [&](int64_t pixel, int i, float& sum, float& other) __attribute__((always_inline)) {
                    const int64_t at = pixel * stride + i;
                    const float value = made[at];
                    const float arriving = given[at];
                    const float share = value <= 0 ? 0 : arriving;
                    passed[at] = share;
                    sum += share;
                    other += share * (from[at] - means.lane[i]);
                  });
  });
}

template <class Element>
void normGradient(const Element* x, const Image& image, InputGradients parts, const Element* dz,
                  Element* dx) {
  const int64_t stride = image.channels;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Values<kWidth> scale(parts.scale + first);
    const Values<kWidth> slope(parts.slope + first);
    const Values<kWidth> mean(parts.mean + first);
    const Values<kWidth> offset(parts.offset + first);
    for (int64_t pixel = 0; pixel < image.height * image.width; ++pixel) {
      const Element* __restrict from = x + pixel * stride + first;
      const Element* __restrict given = dz + pixel * stride + first;
      Element* __restrict to = dx + pixel * stride + first;
      for (int i = 0; i < kWidth; ++i)
        to[i] = scale.lane[i] * given[i] + (slope.lane[i] * (from[i] - mean.lane[i]) + offset.lane[i]);
    }
  });
}

// Only where a window's maximum stands does a gradient arrive: the sums go over windows.
template <class Element>
void pooledGradientSums(const Element* x, const Image& image, const float* mean, const Element* dy,
                        const int32_t* chosen, double* sums, double* centred) {
  const int64_t stride = image.channels;
  const int64_t line = image.width * stride;
  const int64_t columns = image.width / 2;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Values<kWidth> means(mean + first);
    for (int64_t row = 0; row < image.height / 2; ++row) {
      const Element* from = x + 2 * row * line + first;
      const Element* given = dy + row * columns * stride + first;
      const int32_t* where = chosen + row * columns * stride + first;
      addUp<kWidth>(columns, sums + first, centred + first,
                    [&](int64_t column, int i, float& sum, float& other) __attribute__((always_inline)) {
                      const Element* at = from + 2 * column * stride + i;
                      const int32_t k = where[column * stride + i];
                      const float a = at[0];
                      const float b = at[stride];
                      const float c = at[line];
                      const float d = at[line + stride];
                      const float left = k == 2 ? c : a;
                      const float right = k == 3 ? d : b;
                      const float value = (k & 1) != 0 ? right : left;
                      const float arriving = given[column * stride + i];
                      const float dz = k == kCut ? 0 : arriving;
                      sum += dz;
                      other += dz * (value - means.lane[i]);
                    });
    }
  });
}

// All four places of a window at once, and nothing else: more, and the compiler makes branches of it.
template <class Element>
void routedGradient(const Image& image, const float* scale, const Element* dy, const int32_t* chosen,
                    Element* dx) {
  const int64_t stride = image.channels;
  const int64_t line = image.width * stride;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Values<kWidth> scales(scale + first);
    forWindows(image, [&](int64_t out, int64_t in) __attribute__((always_inline)) {
      const Element* __restrict given = dy + out + first;
      const int32_t* __restrict where = chosen + out + first;
      Element* upperLeft = dx + in + first;
      Element* __restrict a = upperLeft;
      Element* __restrict b = upperLeft + stride;
      Element* __restrict c = upperLeft + line;
      Element* __restrict d = upperLeft + line + stride;
      for (int i = 0; i < kWidth; ++i) {
        const float share = scales.lane[i] * given[i];
        const int32_t k = where[i];
        a[i] = k == 0 ? share : 0;
        b[i] = k == 1 ? share : 0;
        c[i] = k == 2 ? share : 0;
        d[i] = k == 3 ? share : 0;
      }
    });
  });
}

template <class Element>
void pooledGradient(const Element* x, const Image& image, InputGradients parts, const Element* dy,
                    const int32_t* chosen, Element* dx) {
  routedGradient(image, parts.scale, dy, chosen, dx);
  const int64_t stride = image.channels;
  forGroups(stride, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    const Values<kWidth> slope(parts.slope + first);
    const Values<kWidth> mean(parts.mean + first);
    const Values<kWidth> offset(parts.offset + first);
    for (int64_t pixel = 0; pixel < image.height * image.width; ++pixel) {
      const Element* __restrict from = x + pixel * stride + first;
      Element* __restrict to = dx + pixel * stride + first;
      for (int i = 0; i < kWidth; ++i)
        to[i] = to[i] + (slope.lane[i] * (from[i] - mean.lane[i]) + offset.lane[i]);
    }
  });
}

struct Span {
  int64_t begin;
  int64_t end;
};
ESPALIER_INLINE Span spanOf(int64_t window, int64_t pixels, int64_t windows) {
  return {window * pixels / windows, ((window + 1) * pixels + windows - 1) / windows};
}

// window(rows, columns, output position) for each.
template <class Window>
ESPALIER_INLINE void forSpans(const Image& image, const Image& small, const Window& window) {
  for (int64_t row = 0; row < small.height; ++row) {
    const Span rows = spanOf(row, image.height, small.height);
    for (int64_t column = 0; column < small.width; ++column) {
      window(rows, spanOf(column, image.width, small.width), (row * small.width + column) * image.channels);
    }
  }
}

template <class Element>
void average(const Element* x, const Image& image, const Image& small, Element* y) {
  forGroups(image.channels, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    forSpans(image, small, [&](Span rows, Span columns, int64_t out) __attribute__((always_inline)) {
      float total[kWidth] = {};
      for (int64_t row = rows.begin; row < rows.end; ++row) {
        for (int64_t column = columns.begin; column < columns.end; ++column) {
          const Element* __restrict from = x + (row * image.width + column) * image.channels + first;
          for (int i = 0; i < kWidth; ++i) total[i] += from[i];
        }
      }
      Element* __restrict to = y + out + first;
      const auto height = static_cast<float>(rows.end - rows.begin);
      const auto width = static_cast<float>(columns.end - columns.begin);
      for (int i = 0; i < kWidth; ++i) to[i] = total[i] / height / width;
    });
  });
}

template <class Element>
void averageGradient(const Element* dy, const Image& image, const Image& small, float* dx) {
  for (int64_t i = 0; i < image.height * image.width * image.channels; ++i) dx[i] = 0;
  forGroups(image.channels, [&]<int kWidth>(int64_t first) __attribute__((always_inline)) {
    forSpans(image, small, [&](Span rows, Span columns, int64_t out) __attribute__((always_inline)) {
      const auto height = static_cast<float>(rows.end - rows.begin);
      const auto width = static_cast<float>(columns.end - columns.begin);
      float share[kWidth];
      for (int i = 0; i < kWidth; ++i) share[i] = dy[out + first + i] / height / width;
      for (int64_t row = rows.begin; row < rows.end; ++row) {
        for (int64_t column = columns.begin; column < columns.end; ++column) {
          float* __restrict to = dx + (row * image.width + column) * image.channels + first;
          for (int i = 0; i < kWidth; ++i) to[i] += share[i];
        }
      }
    });
  });
}

template <class Element>
constexpr PixelPasses<Element> kPasses = {sums<Element>,
                                          squares<Element>,
                                          relu<Element>,
                                          addRelu<Element>,
                                          reluPool<Element>,
                                          gradientSums<Element>,
                                          passedGradientSums<Element>,
                                          normGradient<Element>,
                                          gradient<Element>,
                                          pooledGradientSums<Element>,
                                          pooledGradient<Element>,
                                          routedGradient<Element>,
                                          pool<Element>,
                                          average<Element>,
                                          averageGradient<Element>};
constexpr Pixels kBoth = {kPasses<float>, kPasses<Bfloat16>};

}  // namespace

#if defined(CPU_CAPABILITY_AVX512)
constinit const Pixels kPixelsAvx512 = kBoth;
#elif defined(CPU_CAPABILITY_AVX2)
constinit const Pixels kPixelsAvx2 = kBoth;
#else
constinit const Pixels kPixelsDefault = kBoth;
#endif

}  // namespace espalier::kernels::cpu
