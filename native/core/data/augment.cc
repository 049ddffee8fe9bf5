#include "core/data/augment.h"

#include <cmath>
#include <numbers>

#include "core/random.h"

namespace espalier {

namespace {

// One row an image, in the order in which they are drawn; every image draws all of them, so that switching
// one kind of change on leaves the others' draws alone.
struct Draws {
  at::Tensor flip;        // bool [n]
  at::Tensor dy, dx;      // int64 [n], in [0, 2 * shift]
  at::Tensor angle;       // float32 [n], radians
  at::Tensor brightness;  // float32 [n]
  at::Tensor contrast;    // float32 [n]
  at::Tensor crop;        // float32 [n, 2, 3]: from the image's own grid to that of the part
};

// Rows of [scale of x, 0, offset of x; 0, scale of y, offset of y], in units of half a side.
void drawCrop(double least, SplitMix64& random, float* theta) {
  const double area = least + (1 - least) * random.uniform();
  const double aspect = std::pow(4.0 / 3, 2 * random.uniform() - 1);
  const double width = std::min(1.0, std::sqrt(area * aspect));
  const double height = std::min(1.0, std::sqrt(area / aspect));
  theta[0] = static_cast<float>(width);
  theta[2] = static_cast<float>((1 - width) * (2 * random.uniform() - 1));
  theta[4] = static_cast<float>(height);
  theta[5] = static_cast<float>((1 - height) * (2 * random.uniform() - 1));
}

Draws draw(const Augmentation& augmentation, uint64_t seed, int64_t epoch, const at::Tensor& positions) {
  const int64_t count = positions.size(0);
  Draws draws{at::empty({count}, at::kBool),
              at::empty({count}, at::kLong),
              at::empty({count}, at::kLong),
              at::empty({count}),
              at::empty({count}),
              at::empty({count}),
              at::zeros({count, 2, 3})};
  const auto* position = positions.const_data_ptr<int64_t>();
  const uint64_t epochSeed = mixSeed(mixSeed(seed, "augmentation"), static_cast<uint64_t>(epoch));
  const auto offsets = static_cast<uint64_t>(2 * augmentation.shift + 1);
  const auto around = [](double middle, double radius, double uniform) {
    return static_cast<float>(middle + radius * (2 * uniform - 1));
  };
  const double radians = augmentation.rotation * std::numbers::pi / 180;
  for (int64_t i = 0; i < count; ++i) {
    SplitMix64 random(mixSeed(epochSeed, static_cast<uint64_t>(position[i])));
    draws.flip.data_ptr<bool>()[i] = random.uniform() < 0.5;
    draws.dy.data_ptr<int64_t>()[i] = static_cast<int64_t>(random.below(offsets));
    draws.dx.data_ptr<int64_t>()[i] = static_cast<int64_t>(random.below(offsets));
    draws.angle.data_ptr<float>()[i] = around(0, radians, random.uniform());
    draws.brightness.data_ptr<float>()[i] = around(1, augmentation.jitter, random.uniform());
    draws.contrast.data_ptr<float>()[i] = around(1, augmentation.jitter, random.uniform());
    drawCrop(augmentation.crop, random, draws.crop.data_ptr<float>() + i * 6);
  }
  return draws;
}

// Pixels are moved, not interpolated: an index of the source pixel for each pixel.
at::Tensor flipAndShift(const at::Tensor& inputs, const Augmentation& augmentation, const Draws& draws) {
  const auto device = inputs.device();
  const int64_t count = inputs.size(0), height = inputs.size(2), width = inputs.size(3);
  const int64_t shift = augmentation.shift;
  const at::Tensor padded = shift > 0 ? at::constant_pad_nd(inputs, {shift, shift, shift, shift}) : inputs;
  at::Tensor x = at::arange(width, at::TensorOptions(at::kLong).device(device)).unsqueeze(0);
  if (augmentation.flip) x = at::where(draws.flip.to(device).unsqueeze(1), width - 1 - x, x);
  x = x + draws.dx.to(device).unsqueeze(1);
  at::Tensor y = at::arange(height, at::TensorOptions(at::kLong).device(device)).unsqueeze(0);
  y = y + draws.dy.to(device).unsqueeze(1);
  const at::Tensor source =
      (y.unsqueeze(2) * (width + 2 * shift) + x.unsqueeze(1)).view({count, 1, height * width});
  return padded.flatten(2).gather(2, source.expand({-1, inputs.size(1), -1})).view(inputs.sizes());
}

at::Tensor crop(const at::Tensor& inputs, const at::Tensor& theta) {
  const at::Tensor grid = at::affine_grid_generator(theta, inputs.sizes(), false);
  // Between the outermost pixels and the edge there is nothing to mix with but those pixels.
  constexpr int64_t kBilinear = 0, kBorder = 1;
  return at::grid_sampler(inputs, grid, kBilinear, kBorder, false);
}

at::Tensor rotate(const at::Tensor& inputs, const at::Tensor& angle) {
  // The grid is in units of half a side, so a rotation of pixels needs the sides' ratio.
  const double ratio = static_cast<double>(inputs.size(2)) / static_cast<double>(inputs.size(3));
  const at::Tensor cosine = angle.cos(), sine = angle.sin(), zero = at::zeros_like(angle);
  const at::Tensor theta =
      at::stack({cosine, sine * -ratio, zero, sine / ratio, cosine, zero}, 1).view({-1, 2, 3});
  const at::Tensor grid = at::affine_grid_generator(theta, inputs.sizes(), false);
  constexpr int64_t kBilinear = 0, kZeros = 0;
  return at::grid_sampler(inputs, grid, kBilinear, kZeros, false);
}

at::Tensor jitter(const at::Tensor& inputs, const Draws& draws) {
  const auto factor = [&](const at::Tensor& values) {
    return values.to(inputs.device()).view({-1, 1, 1, 1});
  };
  const at::Tensor bright = (inputs * factor(draws.brightness)).clamp_(0, 1);
  const at::Tensor mean = bright.mean({1, 2, 3}, true);
  return at::lerp(mean.expand_as(bright), bright, factor(draws.contrast)).clamp_(0, 1);
}

}  // namespace

at::Tensor augment(at::Tensor inputs, const Augmentation& augmentation, uint64_t seed, int64_t epoch,
                   const at::Tensor& positions) {
  if (augmentation.empty()) return inputs;
  const Draws draws = draw(augmentation, seed, epoch, positions);
  if (augmentation.crop < 1) inputs = crop(inputs, draws.crop.to(inputs.device()));
  if (augmentation.flip || augmentation.shift > 0) inputs = flipAndShift(inputs, augmentation, draws);
  if (augmentation.rotation > 0) inputs = rotate(inputs, draws.angle.to(inputs.device()));
  if (augmentation.jitter > 0) inputs = jitter(inputs, draws);
  return inputs;
}

}  // namespace espalier
