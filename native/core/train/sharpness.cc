#include "core/train/sharpness.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace espalier {

namespace {

constexpr double kTiny = 1e-12;  // where no weight has a gradient nothing moves

// The direction in the units of `sharpness`: what its norm is taken of.
at::Tensor directionOf(const at::Tensor& weight, const at::Tensor& mask, const Sharpness& sharpness) {
  at::Tensor direction = weight.grad();
  if (mask.defined()) direction = direction * mask;
  return sharpness.adaptive ? weight.abs() * direction : direction;
}

}  // namespace

std::vector<at::Tensor> climb(const std::vector<at::Tensor>& weights, const std::vector<at::Tensor>& masks,
                              const Sharpness& sharpness) {
  const torch::NoGradGuard noGrad;
  std::vector<at::Tensor> before;
  std::vector<at::Tensor> directions(weights.size());
  std::vector<at::Tensor> norms;
  for (size_t i = 0; i < weights.size(); ++i) {
    before.push_back(weights[i].detach().clone());
    if (!weights[i].grad().defined()) continue;
    directions[i] = directionOf(weights[i], masks.empty() ? at::Tensor() : masks[i], sharpness);
    norms.push_back(directions[i].norm(2, at::kDouble));
  }
  if (norms.empty()) return before;
  const at::Tensor scale = sharpness.rho / (torch::stack(norms).norm() + kTiny);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!directions[i].defined()) continue;
    const at::Tensor move = sharpness.adaptive ? before[i].abs() * directions[i] : directions[i];
    weights[i].detach().add_(move * scale);
    weights[i].mutable_grad().reset();
  }
  return before;
}

void putBack(const std::vector<at::Tensor>& weights, const std::vector<at::Tensor>& before) {
  const torch::NoGradGuard noGrad;
  for (size_t i = 0; i < weights.size(); ++i) weights[i].detach().copy_(before[i]);
}

}  // namespace espalier
