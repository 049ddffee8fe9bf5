#include "kernels/norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include "kernels/cpu/planes.h"

// What a convolutional network spends its time on beside convolutions: each of these layers reads and writes
// all activations, and one after the other they take longer than the convolutions do.
namespace espalier::kernels {

namespace {

at::Tensor orUndefined(const OptionalTensor& tensor) { return tensor.value_or(at::Tensor()); }

bool isPlainFloat(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
}

void checkImages(const char* op, const char* name, const at::Tensor& images) {
  TORCH_CHECK_VALUE(isPlainFloat(images) && images.dim() == 4, op,
                    ": expected contiguous float32 images [N, C, H, W] on ", "the CPU for ", name, ", found ",
                    images.scalar_type(), " ", images.sizes(), " with strides ", images.strides(), " on ",
                    images.device());
}

void checkPooled(const char* op, const at::Tensor& images) {
  TORCH_CHECK_VALUE(images.size(2) % 2 == 0 && images.size(3) % 2 == 0, op,
                    ": expected an even height and width to pool, found ", images.sizes());
}

void checkPerChannel(const char* op, const char* name, const OptionalTensor& values, int64_t channels) {
  const at::Tensor tensor = orUndefined(values);
  TORCH_CHECK_VALUE(
      !tensor.defined() || (isPlainFloat(tensor) && tensor.dim() == 1 && tensor.numel() == channels), op,
      ": expected ", channels, " float32 values on the CPU for ", name, ", found ",
      tensor.defined() ? tensor.scalar_type() : at::kFloat, " ",
      tensor.defined() ? tensor.sizes() : at::IntArrayRef());
}

cpu::Images imagesOf(const at::Tensor& x) {
  cpu::Images images;
  images.samples = x.size(0);
  images.height = x.size(2);
  images.width = x.size(3);
  images.stride = x.size(1) * x.size(2) * x.size(3);
  images.pooledStride = images.stride / 4;
  return images;
}

void forEachChannel(const at::Tensor& x, const std::function<void(int64_t channel)>& run) {
  at::parallel_for(0, x.size(1), 1, [&](int64_t begin, int64_t end) {
    for (int64_t channel = begin; channel < end; ++channel) run(channel);
  });
}

float at(const at::Tensor& tensor, int64_t channel, float otherwise) {
  return tensor.defined() ? tensor.const_data_ptr<float>()[channel] : otherwise;
}

cpu::Affine affineOf(const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& statistics,
                     int64_t channel) {
  const float* mean = statistics.const_data_ptr<float>();
  const float* inverse = mean + statistics.size(1);
  const float scale = at(weight, channel, 1) * inverse[channel];
  return {scale, at(bias, channel, 0) - mean[channel] * scale};
}

// Row 0: means, row 1: 1 / sqrt(variance + epsilon).
at::Tensor takeStatistics(const at::Tensor& x, const at::Tensor& runningMean,
                          const at::Tensor& runningVariance, double momentum, double epsilon) {
  const cpu::PlanePasses& passes = cpu::planePasses();
  const cpu::Images images = imagesOf(x);
  const int64_t channels = x.size(1);
  const int64_t plane = images.height * images.width;
  const auto count = static_cast<double>(images.samples * plane);
  at::Tensor statistics = at::empty({2, channels}, x.options());
  auto* mean = statistics.mutable_data_ptr<float>();
  const auto* data = x.const_data_ptr<float>();
  const auto follow = [momentum](const at::Tensor& running, int64_t channel, double now) {
    if (!running.defined()) return;
    auto& value = running.mutable_data_ptr<float>()[channel];
    value = static_cast<float>((1 - momentum) * static_cast<double>(value) + momentum * now);
  };
  forEachChannel(x, [&](int64_t channel) {
    const cpu::Moments moments = passes.moments(data + channel * plane, images);
    mean[channel] = static_cast<float>(moments.mean);
    mean[channels + channel] = static_cast<float>(1 / std::sqrt(moments.squares / count + epsilon));
    follow(runningMean, channel, moments.mean);
    follow(runningVariance, channel, moments.squares / (count - 1));
  });
  return statistics;
}

}  // namespace

bool isNormFusable(const at::Tensor& input, bool pooled) {
  return isPlainFloat(input) && input.dim() == 4 && input.numel() > input.size(1) &&
         (!pooled || (input.size(2) % 2 == 0 && input.size(3) % 2 == 0));
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> batchNormReluForward(
    const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
    const OptionalTensor& runningMean, const OptionalTensor& runningVariance, double momentum, double epsilon,
    bool pooled) {
  constexpr const char* kOp = "batch_norm_relu_forward_";
  checkImages(kOp, "input", input);
  if (pooled) checkPooled(kOp, input);
  const int64_t channels = input.size(1);
  TORCH_CHECK_VALUE(input.numel() > channels, kOp, ": expected more than one value a channel, found ",
                    input.sizes());
  checkPerChannel(kOp, "weight", weight, channels);
  checkPerChannel(kOp, "bias", bias, channels);
  checkPerChannel(kOp, "running_mean", runningMean, channels);
  checkPerChannel(kOp, "running_var", runningVariance, channels);
  const at::Tensor statistics =
      takeStatistics(input, orUndefined(runningMean), orUndefined(runningVariance), momentum, epsilon);
  const cpu::PlanePasses& passes = cpu::planePasses();
  const cpu::Images images = imagesOf(input);
  const int64_t plane = images.height * images.width;
  const int64_t shrink = pooled ? 2 : 1;
  at::Tensor output =
      at::empty({input.size(0), channels, images.height / shrink, images.width / shrink}, input.options());
  at::Tensor chosen =
      at::empty(pooled ? output.sizes() : at::IntArrayRef(0), output.options().dtype(at::kInt));
  const auto* from = input.const_data_ptr<float>();
  auto* to = output.mutable_data_ptr<float>();
  auto* where = chosen.mutable_data_ptr<int32_t>();
  forEachChannel(input, [&](int64_t channel) {
    const cpu::Affine affine = affineOf(orUndefined(weight), orUndefined(bias), statistics, channel);
    if (pooled) {
      const int64_t offset = channel * plane / 4;
      passes.reluPool(from + channel * plane, images, affine, to + offset, where + offset);
    } else {
      passes.relu(from + channel * plane, images, affine, to + channel * plane);
    }
  });
  return {output, statistics, chosen};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> batchNormReluBackward(
    const at::Tensor& gradient, const at::Tensor& input, const OptionalTensor& optionalWeight,
    const OptionalTensor& optionalBias, const at::Tensor& statistics, const at::Tensor& chosen) {
  constexpr const char* kOp = "batch_norm_relu_backward";
  checkImages(kOp, "input", input);
  checkImages(kOp, "gradient", gradient);
  const int64_t channels = input.size(1);
  checkPerChannel(kOp, "weight", optionalWeight, channels);
  checkPerChannel(kOp, "bias", optionalBias, channels);
  const bool pooled = chosen.numel() > 0;
  if (pooled) checkPooled(kOp, input);
  const int64_t shrink = pooled ? 2 : 1;
  const std::vector<int64_t> shape = {input.size(0), channels, input.size(2) / shrink,
                                      input.size(3) / shrink};
  TORCH_CHECK_VALUE(
      gradient.sizes() == at::IntArrayRef(shape) && (!pooled || chosen.sizes() == gradient.sizes()), kOp,
      ": expected a gradient of shape ", shape, ", found ", gradient.sizes());
  TORCH_CHECK_VALUE(isPlainFloat(statistics) && statistics.numel() == 2 * channels, kOp,
                    ": expected the statistics of the forward, found ", statistics.sizes());
  const at::Tensor weight = orUndefined(optionalWeight);
  const at::Tensor bias = orUndefined(optionalBias);
  const cpu::PlanePasses& passes = cpu::planePasses();
  const cpu::Images images = imagesOf(input);
  const int64_t plane = images.height * images.width;
  const auto count = static_cast<double>(images.samples * plane);
  at::Tensor dInput = at::empty_like(input);
  at::Tensor dWeight = at::empty(weight.defined() ? channels : 0, input.options());
  at::Tensor dBias = at::empty(bias.defined() ? channels : 0, input.options());
  const auto* from = input.const_data_ptr<float>();
  const auto* given = gradient.const_data_ptr<float>();
  const auto* mean = statistics.const_data_ptr<float>();
  const auto* where = chosen.const_data_ptr<int32_t>();
  forEachChannel(input, [&](int64_t channel) {
    const cpu::Affine affine = affineOf(weight, bias, statistics, channel);
    const int64_t offset = pooled ? channel * plane / 4 : channel * plane;
    const float* x = from + channel * plane;
    const float* dy = given + offset;
    const std::unique_ptr<float[]> room = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(plane));
    const cpu::GradientSums sums =
        pooled ? passes.pooledGradientSums(x, images, mean[channel], dy, where + offset, room.get())
               : passes.gradientSums(x, images, affine, mean[channel], dy, room.get());
    const auto inverse = static_cast<double>(mean[channels + channel]);
    if (weight.defined())
      dWeight.mutable_data_ptr<float>()[channel] = static_cast<float>(sums.dyCentred * inverse);
    if (bias.defined()) dBias.mutable_data_ptr<float>()[channel] = static_cast<float>(sums.dy);
    const auto scale = static_cast<double>(affine.scale);
    cpu::InputGradient parts;
    parts.scale = affine.scale;
    parts.mean = mean[channel];
    parts.slope = static_cast<float>(-scale * inverse * inverse * sums.dyCentred / count);
    parts.offset = static_cast<float>(-scale * sums.dy / count);
    float* dx = dInput.mutable_data_ptr<float>() + channel * plane;
    if (pooled) {
      passes.pooledGradient(x, images, parts, dy, where + offset, dx);
    } else {
      passes.gradient(x, images, affine, parts, dy, dx);
    }
  });
  return {dInput, dWeight, dBias};
}

at::Tensor reluPool(const at::Tensor& input) {
  checkImages("relu_pool", "input", input);
  checkPooled("relu_pool", input);
  const int64_t height = input.size(2);
  const int64_t width = input.size(3);
  at::Tensor output = at::empty({input.size(0), input.size(1), height / 2, width / 2}, input.options());
  const auto* from = input.const_data_ptr<float>();
  auto* to = output.mutable_data_ptr<float>();
  const cpu::PlanePasses& passes = cpu::planePasses();
  at::parallel_for(0, input.size(0) * input.size(1), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      passes.pool(from + i * height * width, height, width, to + i * (height / 2) * (width / 2));
  });
  return output;
}

const cpu::PlanePasses& cpu::planePasses() {
  static const PlanePasses& passes = [&]() -> const PlanePasses& {
    const std::string capability = at::get_cpu_capability();
    if (capability == "AVX512") return kPlanesAvx512;
    if (capability == "AVX2") return kPlanesAvx2;
    return kPlanesDefault;
  }();
  return passes;
}

TORCH_LIBRARY_IMPL(espalier, CPU, m) {
  m.impl("batch_norm_relu_forward_", TORCH_FN(batchNormReluForward));
  m.impl("batch_norm_relu_backward", TORCH_FN(batchNormReluBackward));
  m.impl("relu_pool", TORCH_FN(reluPool));
}

}  // namespace espalier::kernels
