#include "core/attack/grid.h"

#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

namespace espalier {

namespace {

// Of the size of the weights where it is broadcast.
at::Tensor largestMagnitude(const at::Tensor& weights, std::optional<int64_t> channelDim) {
  const at::Tensor magnitude = weights.abs();
  if (!channelDim) return magnitude.amax();
  std::vector<int64_t> others;
  for (int64_t dim = 0; dim < weights.dim(); ++dim) {
    if (dim != channelDim.value()) others.push_back(dim);
  }
  // No dimensions mean all of them there.
  return others.empty() ? magnitude : magnitude.amax(others, /*keepdim=*/true);
}

}  // namespace

at::Tensor quantized(const at::Tensor& weights, int64_t bits, std::optional<int64_t> channelDim) {
  const torch::NoGradGuard noGrad;
  if (weights.numel() == 0) return weights.detach().clone();
  const auto levels = static_cast<double>((int64_t{1} << (bits - 1)) - 1);
  const at::Tensor wide = weights.detach().to(at::kDouble);
  const at::Tensor largest = largestMagnitude(wide, channelDim);
  const at::Tensor scale = largest / levels;
  const at::Tensor steps = torch::where(scale.gt(0), wide / scale, torch::zeros_like(wide)).round();
  // Not steps * scale: so the largest weight comes back as itself, and a second rounding finds the same grid.
  return (steps / levels * largest).to(weights.scalar_type());
}

}  // namespace espalier
