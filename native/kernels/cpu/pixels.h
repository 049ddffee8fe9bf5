#pragma once

#include <cstdint>

#include "kernels/math.h"

// Batch norm, sum, relu and pooling over float32 or bfloat16 images whose channels lie side by side
// (channels-last), compiled for one instruction set each. A call does one sample, so that who calls them in
// parallel gets the same bits with any number of threads; sums are added to one value a channel.
namespace espalier::kernels::cpu {

// The upper half of a float32, written to the nearest, ties to even. All that is computed is float32.
struct Bfloat16 {
  uint16_t bits;

  ESPALIER_INLINE operator float() const {
    return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
  }
  ESPALIER_INLINE Bfloat16& operator=(float x) {
    const auto all = __builtin_bit_cast(uint32_t, x);
    const uint32_t rounded = (all + 0x7fff + ((all >> 16) & 1)) >> 16;
    bits = static_cast<uint16_t>(x != x ? 0x7fc0 : rounded);
    return *this;
  }
};

struct Image {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
};

// Position of the largest value of a window, row by row, where none is above zero.
constexpr int32_t kCut = 4;

// y = relu(scale x + shift); a value a channel each.
struct Affines {
  const float* scale = nullptr;
  const float* shift = nullptr;
};
// dx = scale dy + slope (x - mean) + offset.
struct InputGradients {
  const float* scale = nullptr;
  const float* slope = nullptr;
  const float* mean = nullptr;
  const float* offset = nullptr;
};

// `dy` is the gradient of y, in those named pooled of its pooled form; `centred` sums dy (x - mean).
template <class Element>
struct PixelPasses {
  void (*sums)(const Element* x, const Image& image, double* sums);
  void (*squares)(const Element* x, const Image& image, const float* mean, double* squares);
  void (*relu)(const Element* x, const Image& image, Affines affines, Element* y);
  // y = relu(scale x + shift + other).
  void (*addRelu)(const Element* x, const Image& image, Affines affines, const Element* other, Element* y);
  void (*reluPool)(const Element* x, const Image& image, Affines affines, Element* y, int32_t* chosen);
  void (*gradientSums)(const Element* x, const Image& image, Affines affines, const float* mean,
                       const Element* dy, double* sums, double* centred);
  // With y itself: where it is zero no gradient passes. `dz` is what passes, of the sum before relu.
  void (*passedGradientSums)(const Element* x, const Image& image, const float* mean, const Element* y,
                             const Element* dy, Element* dz, double* sums, double* centred);
  // dx = scale dz + slope (x - mean) + offset.
  void (*normGradient)(const Element* x, const Image& image, InputGradients parts, const Element* dz,
                       Element* dx);
  void (*gradient)(const Element* x, const Image& image, Affines affines, InputGradients parts,
                   const Element* dy, Element* dx);
  void (*pooledGradientSums)(const Element* x, const Image& image, const float* mean, const Element* dy,
                             const int32_t* chosen, double* sums, double* centred);
  void (*pooledGradient)(const Element* x, const Image& image, InputGradients parts, const Element* dy,
                         const int32_t* chosen, Element* dx);
  // The same without slope and offset.
  void (*routedGradient)(const Image& image, const float* scale, const Element* dy, const int32_t* chosen,
                         Element* dx);
  void (*pool)(const Element* x, const Image& image, Element* y);
  // Over windows that cover `image` evenly, one for each pixel of `small`.
  void (*average)(const Element* x, const Image& image, const Image& small, Element* y);
  // In float32 for either type: a pixel gets the sum of all windows over it.
  void (*averageGradient)(const Element* dy, const Image& image, const Image& small, float* dx);
};

// For either type of images.
struct Pixels : PixelPasses<float>, PixelPasses<Bfloat16> {};

extern const Pixels kPixelsDefault;
extern const Pixels kPixelsAvx2;
extern const Pixels kPixelsAvx512;
const Pixels& pixels();

template <class Element>
const PixelPasses<Element>& pixelPasses() {
  return pixels();
}

}  // namespace espalier::kernels::cpu
