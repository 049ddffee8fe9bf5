#include "methods/authorize/mask_pruning_diversifier.h"

#include <algorithm>
#include <cmath>

#include <torch/utils.h>

#include "core/initialize.h"
#include "core/objectives/mmd.h"

namespace espalier::mask_pruning {

namespace {

constexpr int64_t kLargeKernels[] = {5, 9, 13, 17};
constexpr double kInitialSpread = 0.1;
constexpr double kInitialNoise = 0.1;
constexpr double kShare = 0.6;  // of the image that is not the given one
constexpr double kEpsilon = 1e-5;

// PyTorch's bound for a convolution: activations keep their size.
at::Tensor randomKernel(int64_t channels, int64_t size, at::Generator& generator, c10::Device device) {
  const double bound = 1 / std::sqrt(static_cast<double>(channels * size * size));
  return (at::rand({channels, channels, size, size}, generator) * 2 - 1).mul_(bound).to(device);
}

}  // namespace

Diversifier::Diversifier(const std::vector<int64_t>& shape, uint64_t seed, c10::Device device) {
  parameters_.push_back(torch::full({}, kInitialNoise));
  for (const int64_t kernel : kLargeKernels) {
    if (2 * kernel > std::min(shape[1], shape[2])) continue;
    kernels_.push_back(kernel);
    const std::vector<int64_t> sizes = {shape[0], shape[1] - kernel + 1, shape[2] - kernel + 1};
    for (const double center : {1.0, 0.0}) {
      at::Tensor values = torch::empty(sizes);
      fillNormal(values, seed, std::to_string(parameters_.size()));
      parameters_.push_back(values * kInitialSpread + center);
    }
  }
  for (at::Tensor& parameter : parameters_) parameter = parameter.to(device).requires_grad_();
}

at::Tensor Diversifier::operator()(const at::Tensor& images, at::Generator generator) const {
  const int64_t channels = images.size(1);
  const c10::Device device = images.device();
  const at::Tensor noisy = images + parameters_[0] * at::randn(images.sizes(), generator).to(device);
  std::vector<at::Tensor> branches = {at::conv2d(noisy, randomKernel(channels, 1, generator, device)).tanh()};
  for (size_t i = 0; i < kernels_.size(); ++i) {
    at::Tensor x = at::conv2d(noisy, randomKernel(channels, kernels_[i], generator, device));
    x = at::instance_norm(x, {}, {}, {}, {}, /*use_input_stats=*/true, /*momentum=*/0, kEpsilon,
                          /*cudnn_enabled=*/true);
    x = x * parameters_[1 + 2 * i] + parameters_[2 + 2 * i];
    branches.push_back(
        at::conv_transpose2d(x, randomKernel(channels, kernels_[i], generator, device)).tanh());
  }
  const at::Tensor weights =
      at::randn({static_cast<int64_t>(branches.size())}, generator).softmax(0).to(device);
  at::Tensor mixed = branches[0] * weights[0];
  for (size_t i = 1; i < branches.size(); ++i) mixed = mixed + branches[i] * weights[static_cast<int64_t>(i)];
  return (mixed + 1) / 2 * kShare + images * (1 - kShare);
}

InformationBound::InformationBound(int64_t features, uint64_t seed, c10::Device device) {
  for (const char* path : {"mean", "variance"}) {
    at::Tensor weight = torch::empty({features, features});
    at::Tensor bias = torch::empty({features});
    initializeLayer(weight, bias, seed, path);
    parameters_.push_back(weight.to(device).requires_grad_());
    parameters_.push_back(bias.to(device).requires_grad_());
  }
}

InformationBound::Gaussian InformationBound::given(const at::Tensor& others) const {
  return {at::linear(others, parameters_[0], parameters_[1]),
          at::linear(others, parameters_[2], parameters_[3]).tanh()};
}

at::Tensor InformationBound::likelihood(const at::Tensor& features, const at::Tensor& others) const {
  const Gaussian q = given(others);
  return (-(q.mean - features).square() / q.logVariance.exp() - q.logVariance).mean();
}

at::Tensor InformationBound::bound(const at::Tensor& features, const at::Tensor& others,
                                   const at::Tensor& order) const {
  const Gaussian q = given(others);
  const auto distance = [&](const at::Tensor& to) {
    return ((q.mean - to).square() / q.logVariance.exp()).sum(1);
  };
  return 0.5 * (distance(features.index_select(0, order)) - distance(features)).mean();
}

at::Tensor meaning(const at::Tensor& features, const at::Tensor& others, const at::Tensor& labels,
                   int64_t classes) {
  at::Tensor sum = others.sum() * 0;
  for (int64_t label = 0; label < classes; ++label) {
    const at::Tensor index = labels.eq(label).nonzero().squeeze(1);
    if (index.size(0) < 2) continue;
    sum = sum + maximumMeanDiscrepancy(features.index_select(0, index), others.index_select(0, index));
  }
  return sum / classes;
}

}  // namespace espalier::mask_pruning
