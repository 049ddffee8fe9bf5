#include "core/train/guard.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "kernels/ops.h"

namespace espalier {

namespace {
// By type, as the kernel takes them; what is not side by side in memory is copied.
kernels::Tensors dense(const std::vector<at::Tensor>& gradients, at::ScalarType type) {
  kernels::Tensors chosen;
  for (const at::Tensor& gradient : gradients) {
    if (gradient.scalar_type() != type) continue;
    chosen.push_back(gradient.is_non_overlapping_and_dense() ? gradient : gradient.contiguous());
  }
  return chosen;
}
}  // namespace

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
  const at::Tensor& flag = gradientsMayOverflow ? overflowed_ : bad_;
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    kernels::raiseIfNotFinite(flag, dense(gradients, type));
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
