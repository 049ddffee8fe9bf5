#pragma once

#include <cstdint>

// Batch norm, relu and pooling over float32 images whose channels lie side by side (channels-last),
// compiled for one instruction set each. A call does one sample, so that who calls them in parallel gets the
// same bits with any number of threads; sums are added to one value a channel.
namespace espalier::kernels::cpu {

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
struct PixelPasses {
  void (*sums)(const float* x, const Image& image, double* sums);
  void (*squares)(const float* x, const Image& image, const float* mean, double* squares);
  void (*relu)(const float* x, const Image& image, Affines affines, float* y);
  void (*reluPool)(const float* x, const Image& image, Affines affines, float* y, int32_t* chosen);
  void (*gradientSums)(const float* x, const Image& image, Affines affines, const float* mean,
                       const float* dy, double* sums, double* centred);
  void (*gradient)(const float* x, const Image& image, Affines affines, InputGradients parts, const float* dy,
                   float* dx);
  void (*pooledGradientSums)(const float* x, const Image& image, const float* mean, const float* dy,
                             const int32_t* chosen, double* sums, double* centred);
  void (*pooledGradient)(const float* x, const Image& image, InputGradients parts, const float* dy,
                         const int32_t* chosen, float* dx);
  // The same without slope and offset.
  void (*routedGradient)(const Image& image, const float* scale, const float* dy, const int32_t* chosen,
                         float* dx);
  void (*pool)(const float* x, const Image& image, float* y);
  // Over windows that cover `image` evenly, one for each pixel of `small`.
  void (*average)(const float* x, const Image& image, const Image& small, float* y);
  void (*averageGradient)(const float* dy, const Image& image, const Image& small, float* dx);
};

extern const PixelPasses kPixelsDefault;
extern const PixelPasses kPixelsAvx2;
extern const PixelPasses kPixelsAvx512;
const PixelPasses& pixelPasses();

}  // namespace espalier::kernels::cpu
