#include "kernels/norm.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include "kernels/cpu/driver.h"
#include "kernels/cpu/pixels.h"
#include "kernels/images.h"

// What a convolutional network spends its time on beside convolutions: each of these layers reads and writes
// all activations, and one after the other they take longer than the convolutions do.
namespace espalier::kernels {

namespace {

at::Tensor orUndefined(const OptionalTensor& tensor) { return tensor.value_or(at::Tensor()); }

void checkNormed(const char* op, const at::Tensor& images) {
  checkImages(op, "input", images);
  TORCH_CHECK_VALUE(images.numel() > images.size(1), op, ": expected more than one value a channel, found ",
                    images.sizes());
}

void checkPooled(const char* op, const at::Tensor& images) {
  TORCH_CHECK_VALUE(images.size(2) % 2 == 0 && images.size(3) % 2 == 0, op,
                    ": expected an even height and width to pool, found ", images.sizes());
}

void checkPerChannel(const char* op, const char* name, const OptionalTensor& values, int64_t channels) {
  const at::Tensor tensor = orUndefined(values);
  if (!tensor.defined()) return;
  TORCH_CHECK_VALUE(
      isFloat(tensor) && tensor.is_contiguous() && tensor.dim() == 1 && tensor.numel() == channels, op,
      ": expected ", channels, " float32 values on the CPU for ", name, ", found ", tensor.scalar_type(), " ",
      tensor.sizes());
}

// One row a sample, then added up in their order: the same for any number of threads.
template <class Add>
std::vector<double> addUp(const at::Tensor& x, int64_t values, const Add& add) {
  std::vector<double> rows(static_cast<size_t>(x.size(0) * values));
  forEachSample(x, [&](int64_t sample) { add(sample, rows.data() + sample * values); });
  std::vector<double> sums(static_cast<size_t>(values));
  for (size_t i = 0; i < rows.size(); ++i) sums[i % sums.size()] += rows[i];
  return sums;
}

// Scales, then shifts.
std::vector<float> affinesOf(const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& statistics) {
  const auto channels = static_cast<size_t>(statistics.size(1));
  const float* mean = statistics.const_data_ptr<float>();
  std::vector<float> values(2 * channels);
  for (size_t c = 0; c < channels; ++c) {
    values[c] = (weight.defined() ? weight.const_data_ptr<float>()[c] : 1) * mean[channels + c];
    values[channels + c] = (bias.defined() ? bias.const_data_ptr<float>()[c] : 0) - mean[c] * values[c];
  }
  return values;
}

// Row 0: means, row 1: 1 / sqrt(variance + epsilon).
template <class Element>
at::Tensor takeStatistics(const at::Tensor& x, const at::Tensor& runningMean,
                          const at::Tensor& runningVariance, double momentum, double epsilon) {
  const auto& passes = cpu::pixelPasses<Element>();
  const cpu::Image image = imageOf(x);
  const int64_t channels = image.channels;
  const auto count = static_cast<double>(x.size(0) * image.height * image.width);
  at::Tensor statistics = at::empty({2, channels}, at::kFloat);
  auto* mean = statistics.mutable_data_ptr<float>();
  const auto* data = dataOf<Element>(x);
  const std::vector<double> sums = addUp(x, channels, [&](int64_t sample, double* row) {
    passes.sums(data + sample * sizeOf(image), image, row);
  });
  for (int64_t c = 0; c < channels; ++c) mean[c] = static_cast<float>(sums[static_cast<size_t>(c)] / count);
  const std::vector<double> squares = addUp(x, channels, [&](int64_t sample, double* row) {
    passes.squares(data + sample * sizeOf(image), image, mean, row);
  });
  const auto follow = [momentum](const at::Tensor& running, int64_t channel, double now) {
    if (!running.defined()) return;
    auto& value = running.mutable_data_ptr<float>()[channel];
    value = static_cast<float>((1 - momentum) * static_cast<double>(value) + momentum * now);
  };
  for (int64_t c = 0; c < channels; ++c) {
    const auto i = static_cast<size_t>(c);
    mean[channels + c] = static_cast<float>(1 / std::sqrt(squares[i] / count + epsilon));
    follow(runningMean, c, sums[i] / count);
    follow(runningVariance, c, squares[i] / (count - 1));
  }
  return statistics;
}

// The same rows of what is known.
at::Tensor knownStatistics(const at::Tensor& mean, const at::Tensor& variance, double epsilon) {
  const int64_t channels = mean.numel();
  at::Tensor statistics = at::empty({2, channels}, mean.options());
  auto* values = statistics.mutable_data_ptr<float>();
  const auto* means = mean.const_data_ptr<float>();
  const auto* variances = variance.const_data_ptr<float>();
  for (int64_t c = 0; c < channels; ++c) {
    values[c] = means[c];
    values[channels + c] = static_cast<float>(1 / std::sqrt(static_cast<double>(variances[c]) + epsilon));
  }
  return statistics;
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
  checkPerChannel(kOp, "running_mean", runningMean, channels);
  checkPerChannel(kOp, "running_var", runningVariance, channels);
  TORCH_CHECK_VALUE(
      training || (orUndefined(runningMean).defined() && orUndefined(runningVariance).defined()), kOp,
      ": expected running_mean and running_var where training is off, received none");
  const at::Tensor statistics =
      training
          ? withElement(input,
                        [&]<class Element>() {
                          return takeStatistics<Element>(input, orUndefined(runningMean),
                                                         orUndefined(runningVariance), momentum, epsilon);
                        })
          : knownStatistics(orUndefined(runningMean), orUndefined(runningVariance), epsilon);
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
  TORCH_CHECK_VALUE(
      areImages(gradient) && gradient.scalar_type() == input.scalar_type() &&
          gradient.sizes() == at::IntArrayRef(shape) && (!pooled || chosen.sizes() == gradient.sizes()),
      kOp, ": expected a channels-last gradient in ", input.scalar_type(), " of shape ", shape, ", found ",
      gradient.scalar_type(), " ", gradient.sizes(), " with strides ", gradient.strides());
  TORCH_CHECK_VALUE(isFloat(statistics) && statistics.is_contiguous() && statistics.dim() == 2 &&
                        statistics.size(0) == 2 && statistics.size(1) == channels,
                    kOp, ": expected the statistics of the forward, found ", statistics.sizes());
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
  at::Tensor dWeight = at::empty({wantsWeight ? channels : 0}, statistics.options());
  at::Tensor dBias = at::empty({wantsBias ? channels : 0}, statistics.options());
  const auto count = static_cast<double>(input.size(0) * image.height * image.width);
  std::vector<float> slopes(static_cast<size_t>(channels));
  std::vector<float> offsets(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) {
    const auto i = static_cast<size_t>(c);
    const auto inverse = static_cast<double>(mean[channels + c]);
    const auto scale = static_cast<double>(affines.scale[c]);
    const double centred = sums[i + static_cast<size_t>(channels)];
    if (wantsWeight) dWeight.mutable_data_ptr<float>()[c] = static_cast<float>(centred * inverse);
    if (wantsBias) dBias.mutable_data_ptr<float>()[c] = static_cast<float>(sums[i]);
    // Known statistics do not follow the input.
    slopes[i] = training ? static_cast<float>(-scale * inverse * inverse * centred / count) : 0;
    offsets[i] = training ? static_cast<float>(-scale * sums[i] / count) : 0;
  }
  if (!wanted[0]) return {at::empty({0}, statistics.options()), dWeight, dBias};
  const cpu::InputGradients parts = {affines.scale, slopes.data(), mean, offsets.data()};
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
  return {dInput, dWeight, dBias};
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
