#include <ATen/ATen.h>
#include <torch/library.h>

// The operators' mathematics as differentiable functions of one tensor, in plain ATen: for objectives that
// are written as such, and for gradient checks. The fused operators are what trains.
namespace espalier::kernels {

namespace {

// v = w s((w^2 - threshold) / temperature) and the soft count, sum s. Not `exact`: the gate is a constant for
// the weight (Azarian et al. 2020, eq. 14); the threshold has its full gradient either way.
std::tuple<at::Tensor, at::Tensor> ltpEffectiveWeight(const at::Tensor& weight, const at::Tensor& threshold,
                                                      const at::Tensor& temperature, bool exact) {
  TORCH_CHECK_VALUE(threshold.numel() == 1 && temperature.numel() == 1,
                    "ltp_effective_weight: expected one threshold and one temperature, found ",
                    threshold.numel(), " and ", temperature.numel());
  const at::Tensor gating = exact ? weight : weight.detach();
  const at::Tensor open = at::sigmoid((gating * gating - threshold) / temperature);
  return {weight * open, open.sum()};
}

// w 1[score > cut]; the score's gradient goes straight through the step.
at::Tensor scoreEffectiveWeight(const at::Tensor& weight, const at::Tensor& score, double cut) {
  TORCH_CHECK_VALUE(weight.sizes() == score.sizes(), "score_effective_weight: expected a score of shape ",
                    weight.sizes(), " as the weight, found ", score.sizes());
  return weight * (score.gt(cut).to(score.scalar_type()) + (score - score.detach()));
}

// rho / 2 ||W - Z + U||^2
at::Tensor admmPenalty(const at::Tensor& weight, const at::Tensor& sparse, const at::Tensor& dual,
                       double rho) {
  return (weight - sparse + dual).square().sum() * (rho / 2);
}

at::Tensor softThreshold(const at::Tensor& input, double delta) {
  return at::sign(input) * at::relu(at::abs(input) - delta);
}

}  // namespace

TORCH_LIBRARY_IMPL(espalier, CompositeImplicitAutograd, m) {
  m.impl("ltp_effective_weight", TORCH_FN(ltpEffectiveWeight));
  m.impl("score_effective_weight", TORCH_FN(scoreEffectiveWeight));
  m.impl("admm_penalty", TORCH_FN(admmPenalty));
  m.impl("soft_threshold", TORCH_FN(softThreshold));
}

}  // namespace espalier::kernels
