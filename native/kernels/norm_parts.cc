#include "kernels/norm_parts.h"

#include <cmath>

namespace espalier::kernels {

void checkNormed(const char* op, const at::Tensor& images) {
  checkImages(op, "input", images);
  TORCH_CHECK_VALUE(images.numel() > images.size(1), op, ": expected more than one value a channel, found ",
                    images.sizes());
}

void checkPerChannel(const char* op, const char* name, const OptionalTensor& values, int64_t channels) {
  const at::Tensor tensor = orUndefined(values);
  if (!tensor.defined()) return;
  TORCH_CHECK_VALUE(
      isFloat(tensor) && tensor.is_contiguous() && tensor.dim() == 1 && tensor.numel() == channels, op,
      ": expected ", channels, " float32 values on the CPU for ", name, ", found ", tensor.scalar_type(), " ",
      tensor.sizes());
}

void checkStatistics(const char* op, const at::Tensor& statistics, int64_t channels) {
  TORCH_CHECK_VALUE(isFloat(statistics) && statistics.is_contiguous() && statistics.dim() == 2 &&
                        statistics.size(0) == 2 && statistics.size(1) == channels,
                    op, ": expected the statistics of the forward, found ", statistics.sizes());
}

void checkGradient(const char* op, const at::Tensor& gradient, at::ScalarType type, at::IntArrayRef shape) {
  TORCH_CHECK_VALUE(areImages(gradient) && gradient.scalar_type() == type && gradient.sizes() == shape, op,
                    ": expected a channels-last gradient in ", type, " of shape ", shape, ", found ",
                    gradient.scalar_type(), " ", gradient.sizes(), " with strides ", gradient.strides());
}

namespace {

int64_t valuesAChannel(const at::Tensor& images) { return images.numel() / images.size(1); }

template <class Element>
at::Tensor takeStatistics(const at::Tensor& x, const at::Tensor& runningMean,
                          const at::Tensor& runningVariance, double momentum, double epsilon) {
  const auto& passes = cpu::pixelPasses<Element>();
  const cpu::Image image = imageOf(x);
  const int64_t channels = image.channels;
  const auto count = static_cast<double>(valuesAChannel(x));
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

at::Tensor normStatistics(const char* op, const at::Tensor& images, const OptionalTensor& runningMean,
                          const OptionalTensor& runningVariance, bool training, double momentum,
                          double epsilon) {
  checkPerChannel(op, "running_mean", runningMean, images.size(1));
  checkPerChannel(op, "running_var", runningVariance, images.size(1));
  const at::Tensor mean = orUndefined(runningMean);
  const at::Tensor variance = orUndefined(runningVariance);
  TORCH_CHECK_VALUE(training || (mean.defined() && variance.defined()), op,
                    ": expected running_mean and running_var where training is off, received none");
  if (!training) return knownStatistics(mean, variance, epsilon);
  return withElement(images, [&]<class Element>() {
    return takeStatistics<Element>(images, mean, variance, momentum, epsilon);
  });
}

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

NormGradients gradientsFrom(const std::vector<double>& sums, const at::Tensor& images,
                            const at::Tensor& statistics, const float* scale, bool training, bool wantsWeight,
                            bool wantsBias) {
  const int64_t channels = statistics.size(1);
  const auto count = static_cast<double>(valuesAChannel(images));
  const float* inverses = statistics.const_data_ptr<float>() + channels;
  NormGradients found = {at::empty({wantsWeight ? channels : 0}, statistics.options()),
                         at::empty({wantsBias ? channels : 0}, statistics.options()),
                         std::vector<float>(static_cast<size_t>(channels)),
                         std::vector<float>(static_cast<size_t>(channels))};
  for (int64_t c = 0; c < channels; ++c) {
    const auto i = static_cast<size_t>(c);
    const auto inverse = static_cast<double>(inverses[c]);
    const double centred = sums[i + static_cast<size_t>(channels)];
    if (wantsWeight) found.weight.mutable_data_ptr<float>()[c] = static_cast<float>(centred * inverse);
    if (wantsBias) found.bias.mutable_data_ptr<float>()[c] = static_cast<float>(sums[i]);
    // Known statistics do not follow the input.
    if (!training) continue;
    const auto factor = static_cast<double>(scale[c]);
    found.slopes[i] = static_cast<float>(-factor * inverse * inverse * centred / count);
    found.offsets[i] = static_cast<float>(-factor * sums[i] / count);
  }
  return found;
}

}  // namespace espalier::kernels
