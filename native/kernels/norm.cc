#include "kernels/norm.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include "kernels/cpu/driver.h"
#include "kernels/cpu/pixels.h"
#include "kernels/norm_parts.h"

// What a convolutional network spends its time on beside convolutions: each of these layers reads and writes
// all activations, and one after the other they take longer than the convolutions do.
namespace espalier::kernels {

namespace {

void checkPooled(const char* op, const at::Tensor& images) {
  TORCH_CHECK_VALUE(images.size(2) % 2 == 0 && images.size(3) % 2 == 0, op,
                    ": expected an even height and width to pool, found ", images.sizes());
}

}  // namespace

bool isNormFusable(const at::Tensor& input, bool pooled) {
  return areImages(input) && input.numel() > input.size(1) &&
         (!pooled || (input.size(2) % 2 == 0 && input.size(3) % 2 == 0));
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> batchNormReluForward(
    const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
    const OptionalTensor& runningMean, const OptionalTensor& runningVariance, bool training, double momentum,
    double epsilon, bool pooled) {
  constexpr const char* kOp = "batch_norm_relu_forward_";
  checkNormed(kOp, input);
  if (pooled) checkPooled(kOp, input);
  const int64_t channels = input.size(1);
  checkPerChannel(kOp, "weight", weight, channels);
  checkPerChannel(kOp, "bias", bias, channels);
  const at::Tensor statistics =
      normStatistics(kOp, input, runningMean, runningVariance, training, momentum, epsilon);
  const cpu::Image image = imageOf(input);
  const std::vector<float> values = affinesOf(orUndefined(weight), orUndefined(bias), statistics);
  const cpu::Affines affines = {values.data(), values.data() + channels};
  const int64_t shrink = pooled ? 2 : 1;
  at::Tensor output = emptyImages(input, image.height / shrink, image.width / shrink);
  at::Tensor chosen = pooled ? at::empty_like(output, output.options().dtype(at::kInt))
                             : at::empty({0}, at::TensorOptions().dtype(at::kInt));
  auto* where = chosen.mutable_data_ptr<int32_t>();
  const int64_t size = sizeOf(image);
  withElement(input, [&]<class Element>() {
    const auto& passes = cpu::pixelPasses<Element>();
    const auto* from = dataOf<Element>(input);
    auto* to = mutableDataOf<Element>(output);
    forEachSample(input, [&](int64_t sample) {
      if (pooled) {
        passes.reluPool(from + sample * size, image, affines, to + sample * size / 4,
                        where + sample * size / 4);
      } else {
        passes.relu(from + sample * size, image, affines, to + sample * size);
      }
    });
  });
  return {output, statistics, chosen};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> batchNormReluBackward(
    const at::Tensor& gradient, const at::Tensor& input, const OptionalTensor& optionalWeight,
    const OptionalTensor& optionalBias, const at::Tensor& statistics, const at::Tensor& chosen, bool training,
    std::array<bool, 3> wanted) {
  constexpr const char* kOp = "batch_norm_relu_backward";
  checkNormed(kOp, input);
  const int64_t channels = input.size(1);
  checkPerChannel(kOp, "weight", optionalWeight, channels);
  checkPerChannel(kOp, "bias", optionalBias, channels);
  const bool pooled = chosen.numel() > 0;
  if (pooled) checkPooled(kOp, input);
  const int64_t shrink = pooled ? 2 : 1;
  const std::vector<int64_t> shape = {input.size(0), channels, input.size(2) / shrink,
                                      input.size(3) / shrink};
  checkGradient(kOp, gradient, input.scalar_type(), shape);
  TORCH_CHECK_VALUE(!pooled || chosen.sizes() == gradient.sizes(), kOp,
                    ": expected the places of the maxima of shape ", shape, ", found ", chosen.sizes());
  checkStatistics(kOp, statistics, channels);
  const at::Tensor weight = orUndefined(optionalWeight);
  const at::Tensor bias = orUndefined(optionalBias);
  const cpu::Image image = imageOf(input);
  const int64_t size = sizeOf(image);
  const std::vector<float> values = affinesOf(weight, bias, statistics);
  const cpu::Affines affines = {values.data(), values.data() + channels};
  const auto* mean = statistics.const_data_ptr<float>();
  const auto* where = chosen.const_data_ptr<int32_t>();
  const bool wantsWeight = weight.defined() && wanted[1];
  const bool wantsBias = bias.defined() && wanted[2];
  // Sums of dy, then of dy (x - mean).
  std::vector<double> sums(static_cast<size_t>(2 * channels));
  if (training || wantsWeight || wantsBias) {
    withElement(input, [&]<class Element>() {
      const auto& passes = cpu::pixelPasses<Element>();
      const auto* from = dataOf<Element>(input);
      const auto* given = dataOf<Element>(gradient);
      sums = addUp(input, 2 * channels, [&](int64_t sample, double* row) {
        const Element* x = from + sample * size;
        if (pooled) {
          passes.pooledGradientSums(x, image, mean, given + sample * size / 4, where + sample * size / 4, row,
                                    row + channels);
        } else {
          passes.gradientSums(x, image, affines, mean, given + sample * size, row, row + channels);
        }
      });
    });
  }
  const NormGradients found =
      gradientsFrom(sums, input, statistics, affines.scale, training, wantsWeight, wantsBias);
  if (!wanted[0]) return {at::empty({0}, statistics.options()), found.weight, found.bias};
  const cpu::InputGradients parts = {affines.scale, found.slopes.data(), mean, found.offsets.data()};
  at::Tensor dInput = emptyImages(input, image.height, image.width);
  withElement(input, [&]<class Element>() {
    const auto& passes = cpu::pixelPasses<Element>();
    const auto* from = dataOf<Element>(input);
    const auto* given = dataOf<Element>(gradient);
    auto* to = mutableDataOf<Element>(dInput);
    forEachSample(input, [&](int64_t sample) {
      const Element* x = from + sample * size;
      if (pooled && !training) {
        passes.routedGradient(image, affines.scale, given + sample * size / 4, where + sample * size / 4,
                              to + sample * size);
      } else if (pooled) {
        passes.pooledGradient(x, image, parts, given + sample * size / 4, where + sample * size / 4,
                              to + sample * size);
      } else {
        passes.gradient(x, image, affines, parts, given + sample * size, to + sample * size);
      }
    });
  });
  return {dInput, found.weight, found.bias};
}

at::Tensor reluPool(const at::Tensor& input) {
  checkNormed("relu_pool", input);
  checkPooled("relu_pool", input);
  const cpu::Image image = imageOf(input);
  const int64_t size = sizeOf(image);
  at::Tensor output = emptyImages(input, image.height / 2, image.width / 2);
  withElement(input, [&]<class Element>() {
    const auto* from = dataOf<Element>(input);
    auto* to = mutableDataOf<Element>(output);
    const auto& passes = cpu::pixelPasses<Element>();
    forEachSample(input,
                  [&](int64_t sample) { passes.pool(from + sample * size, image, to + sample * size / 4); });
  });
  return output;
}

const cpu::Pixels& cpu::pixels() { return forMachine(&kPixelsAvx512, &kPixelsAvx2, &kPixelsDefault); }

TORCH_LIBRARY_IMPL(espalier, CPU, m) {
  m.impl("batch_norm_relu_forward_", TORCH_FN(batchNormReluForward));
  m.impl("batch_norm_relu_backward", TORCH_FN(batchNormReluBackward));
  m.impl("relu_pool", TORCH_FN(reluPool));
}

}  // namespace espalier::kernels
