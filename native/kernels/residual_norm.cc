#include <torch/library.h>

#include "kernels/cpu/pixels.h"
#include "kernels/norm_parts.h"

namespace espalier::kernels {

namespace {

void checkAlike(const char* op, const char* name, const at::Tensor& images, const at::Tensor& input) {
  checkImages(op, name, images);
  TORCH_CHECK_VALUE(images.scalar_type() == input.scalar_type() && images.sizes() == input.sizes(), op,
                    ": expected ", name, " to be ", input.scalar_type(), " ", input.sizes(),
                    " as the input, found ", images.scalar_type(), " ", images.sizes());
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> batchNormAddReluForward(
    const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
    const at::Tensor& other, const OptionalTensor& runningMean, const OptionalTensor& runningVariance,
    bool training, double momentum, double epsilon) {
  constexpr const char* kOp = "batch_norm_add_relu_forward_";
  checkNormed(kOp, input);
  const int64_t channels = input.size(1);
  checkPerChannel(kOp, "weight", weight, channels);
  checkPerChannel(kOp, "bias", bias, channels);
  checkAlike(kOp, "other", other, input);
  const at::Tensor statistics =
      normStatistics(kOp, input, runningMean, runningVariance, training, momentum, epsilon);
  const cpu::Image image = imageOf(input);
  const int64_t size = sizeOf(image);
  const std::vector<float> values = affinesOf(orUndefined(weight), orUndefined(bias), statistics);
  const cpu::Affines affines = {values.data(), values.data() + channels};
  at::Tensor output = emptyImages(input, image.height, image.width);
  withElement(input, [&]<class Element>() {
    const auto& passes = cpu::pixelPasses<Element>();
    const auto* from = dataOf<Element>(input);
    const auto* added = dataOf<Element>(other);
    auto* to = mutableDataOf<Element>(output);
    forEachSample(input, [&](int64_t sample) {
      const int64_t first = sample * size;
      passes.addRelu(from + first, image, affines, added + first, to + first);
    });
  });
  return {output, statistics};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> batchNormAddReluBackward(
    const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& output,
    const OptionalTensor& weight, const at::Tensor& statistics, bool training, std::array<bool, 3> wanted) {
  constexpr const char* kOp = "batch_norm_add_relu_backward";
  checkNormed(kOp, input);
  const int64_t channels = input.size(1);
  checkPerChannel(kOp, "weight", weight, channels);
  checkAlike(kOp, "output", output, input);
  checkGradient(kOp, gradient, input.scalar_type(), input.sizes());
  checkStatistics(kOp, statistics, channels);
  const cpu::Image image = imageOf(input);
  const int64_t size = sizeOf(image);
  const std::vector<float> scale = affinesOf(orUndefined(weight), at::Tensor(), statistics);
  const auto* mean = statistics.const_data_ptr<float>();
  at::Tensor dOther = emptyImages(input, image.height, image.width);
  // Sums of dz, then of dz (x - mean).
  std::vector<double> sums;
  withElement(input, [&]<class Element>() {
    const auto& passes = cpu::pixelPasses<Element>();
    const auto* from = dataOf<Element>(input);
    const auto* made = dataOf<Element>(output);
    const auto* given = dataOf<Element>(gradient);
    auto* passed = mutableDataOf<Element>(dOther);
    sums = addUp(input, 2 * channels, [&](int64_t sample, double* row) {
      const int64_t first = sample * size;
      passes.passedGradientSums(from + first, image, mean, made + first, given + first, passed + first, row,
                                row + channels);
    });
  });
  const bool wantsWeight = orUndefined(weight).defined() && wanted[1];
  const NormGradients found =
      gradientsFrom(sums, input, statistics, scale.data(), training, wantsWeight, wanted[2]);
  if (!wanted[0]) return {at::empty({0}, statistics.options()), found.weight, found.bias, dOther};
  const cpu::InputGradients parts = {scale.data(), found.slopes.data(), mean, found.offsets.data()};
  at::Tensor dInput = emptyImages(input, image.height, image.width);
  withElement(input, [&]<class Element>() {
    const auto& passes = cpu::pixelPasses<Element>();
    const auto* from = dataOf<Element>(input);
    const auto* passed = dataOf<Element>(dOther);
    auto* to = mutableDataOf<Element>(dInput);
    forEachSample(input, [&](int64_t sample) {
      const int64_t first = sample * size;
      passes.normGradient(from + first, image, parts, passed + first, to + first);
    });
  });
  return {dInput, found.weight, found.bias, dOther};
}

TORCH_LIBRARY_IMPL(espalier, CPU, m) {
  m.impl("batch_norm_add_relu_forward_", TORCH_FN(batchNormAddReluForward));
  m.impl("batch_norm_add_relu_backward", TORCH_FN(batchNormAddReluBackward));
}

}  // namespace espalier::kernels
