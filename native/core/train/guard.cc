#include "core/train/guard.h"

#include <limits>

#include <torch/types.h>
#include <torch/utils.h>

namespace espalier {

DivergenceGuard::DivergenceGuard(c10::Device device) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  bad_ = torch::zeros({1}, options);
  overflowed_ = torch::zeros({1}, options);
  skip_ = torch::zeros({1}, options);
}

void DivergenceGuard::watch(const at::Tensor& loss, const std::vector<at::Tensor>& gradients,
                            bool gradientsMayOverflow) {
  const torch::NoGradGuard noGrad;
  bad_ = at::maximum(bad_, loss.detach().isfinite().logical_not().to(at::kFloat).reshape({1}));
  if (!gradients.empty()) {
    // The largest magnitude carries every NaN and infinity, and cannot overflow on the way.
    const at::Tensor largest =
        torch::stack(at::_foreach_norm(gradients, std::numeric_limits<double>::infinity()));
    const at::Tensor bad = largest.isfinite().all().logical_not().to(at::kFloat).reshape({1});
    at::Tensor& flag = gradientsMayOverflow ? overflowed_ : bad_;
    flag = at::maximum(flag, bad);
  }
  skip_ = at::maximum(bad_, overflowed_);
}

void DivergenceGuard::nextStep() {
  overflowed_ = torch::zeros_like(overflowed_);
  skip_ = bad_;
}

bool DivergenceGuard::raised() const { return bad_.item<float>() != 0; }

void DivergenceGuard::reset() {
  bad_ = torch::zeros_like(bad_);
  nextStep();
}

std::string firstNonFiniteLayer(const Model& model, const at::Tensor& inputs, Mode mode) {
  const torch::NoGradGuard noGrad;
  const std::vector<Layer>& layers = model.graph(mode).layers();
  std::vector<TapPoint> points;
  for (size_t i = 0; i < layers.size(); ++i) points.push_back({i, TapPoint::Side::kOutput});
  Taps taps;
  model.logits(inputs, mode, points, taps);
  for (size_t i = 0; i < layers.size(); ++i) {
    for (const at::Tensor& output : taps[i]) {
      // A weight of the root module has no other name than its own.
      if (!output.isfinite().all().item<bool>()) {
        return layers[i].path.empty() ? layers[i].weightPath : layers[i].path;
      }
    }
  }
  return {};
}

}  // namespace espalier
