#include "core/attack/corruption.h"

#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace espalier {

namespace {

at::Tensor blurred(const at::Tensor& images) {
  constexpr int64_t kReach = 2;
  constexpr double kDeviation = 1.1;
  std::vector<double> weights;
  double sum = 0;
  for (int64_t i = -kReach; i <= kReach; ++i) {
    weights.push_back(std::exp(-static_cast<double>(i * i) / (2 * kDeviation * kDeviation)));
    sum += weights.back();
  }
  const int64_t channels = images.size(1);
  const at::Tensor line = torch::tensor(weights, images.options()) / sum;
  const at::Tensor kernel = torch::outer(line, line).expand({channels, 1, -1, -1});
  const at::Tensor padded = at::reflection_pad2d(images, {kReach, kReach, kReach, kReach});
  return at::conv2d(padded, kernel, /*bias=*/{}, /*stride=*/at::IntArrayRef{1},
                    /*padding=*/at::IntArrayRef{0},
                    /*dilation=*/at::IntArrayRef{1}, channels);
}

}  // namespace

std::vector<at::Tensor> corruptedViews(const at::Tensor& images, double noise, at::Generator generator) {
  const torch::NoGradGuard noGrad;
  // On the CPU, so that every device sees the same.
  const at::Tensor drawn =
      torch::randn(images.sizes(), std::move(generator), images.options().device(at::kCPU));
  const at::Tensor error = noise * drawn.to(images.device());
  return {(images + error).clamp(0, 1), ((1 + error) * images).clamp(0, 1), blurred(images).clamp(0, 1)};
}

at::Tensor robustMean(const std::vector<at::Tensor>& losses, at::Tensor& shares) {
  constexpr double kRate = 0.01;
  const at::Tensor all = torch::stack(losses);
  const at::Tensor grown = shares * (kRate * all.detach()).exp();
  shares = grown / grown.sum();
  return (shares * all).sum();
}

}  // namespace espalier
