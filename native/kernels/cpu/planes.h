#pragma once

#include <cstdint>

// Batch norm, relu and 2 x 2 pooling over float32 images [N, C, H, W], compiled for one instruction set each.
// A call does one channel of all samples (`Images`), or one plane: who calls them in parallel gets the same
// bits with any number of threads.
namespace espalier::kernels::cpu {

// One channel: plane n starts at n * stride.
struct Images {
  int64_t samples = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t stride = 0;        // between two samples of the channel
  int64_t pooledStride = 0;  // the same of what is pooled
};

struct Moments {
  double mean = 0;
  double squares = 0;  // sum of (x - mean)^2
};

// y = relu(scale x + shift)
struct Affine {
  float scale = 1;
  float shift = 0;
};

// Of one channel: dx = scale dy + slope (x - mean) + offset.
struct InputGradient {
  float scale = 0;
  float slope = 0;
  float mean = 0;
  float offset = 0;
};

struct GradientSums {
  double dy = 0;
  double dyCentred = 0;  // dy (x - mean)
};

// Position of the largest of a window, row by row, or that it is not above zero.
constexpr int32_t kCut = 4;

struct PlanePasses {
  Moments (*moments)(const float* x, const Images& images);
  void (*relu)(const float* x, const Images& images, Affine affine, float* y);
  // `chosen` tells the position of each maximum.
  void (*reluPool)(const float* x, const Images& images, Affine affine, float* y, int32_t* chosen);
  // `dy` is the gradient of y. `room`: floats of a plane.
  GradientSums (*gradientSums)(const float* x, const Images& images, Affine affine, float mean,
                               const float* dy, float* room);
  void (*gradient)(const float* x, const Images& images, Affine affine, InputGradient parts, const float* dy,
                   float* dx);
  // The same of what was pooled.
  GradientSums (*pooledGradientSums)(const float* x, const Images& images, float mean, const float* dy,
                                     const int32_t* chosen, float* room);
  void (*pooledGradient)(const float* x, const Images& images, InputGradient parts, const float* dy,
                         const int32_t* chosen, float* dx);
  // relu and pooling alone, of one plane.
  void (*pool)(const float* x, int64_t height, int64_t width, float* y);
};

extern const PlanePasses kPlanesDefault;
extern const PlanePasses kPlanesAvx2;
extern const PlanePasses kPlanesAvx512;
const PlanePasses& planePasses();

}  // namespace espalier::kernels::cpu
