#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

// The operators' mathematics as differentiable functions, in plain ATen: for objectives that are written as
// such, and for gradient checks. The fused operators are what trains.
namespace espalier::kernels {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct GateParts {
  at::Tensor open;
  at::Tensor slope;
};
GateParts gateOf(const at::Tensor& weight, const at::Tensor& threshold, const at::Tensor& temperature) {
  const at::Tensor z = (weight * weight - threshold) / temperature;
  return {at::sigmoid(z), at::sigmoid(z) * at::sigmoid(-z)};
}

// v = w s((w^2 - threshold) / temperature) and the soft count, sum s. Not `exact`: the gate is a constant for
// the weight (Azarian et al. 2020, eq. 14), and the threshold has its full gradient either way.
struct LtpEffectiveWeight : torch::autograd::Function<LtpEffectiveWeight> {
  static variable_list forward(AutogradContext* context, const at::Tensor& weight,
                               const at::Tensor& threshold, const at::Tensor& temperature, bool exact) {
    context->save_for_backward({weight, threshold, temperature});
    context->saved_data["exact"] = exact;
    const at::Tensor open = gateOf(weight, threshold, temperature).open;
    return {weight * open, open.sum()};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& weight = saved[0];
    const at::Tensor& temperature = saved[2];
    const GateParts gate = gateOf(weight, saved[1], temperature);
    // Of the gate, from both outputs.
    const at::Tensor ofGate = (gradients[0] * weight + gradients[1]) * gate.slope / temperature;
    at::Tensor ofWeight = gradients[0] * gate.open;
    if (context->saved_data["exact"].toBool()) ofWeight = ofWeight + 2 * weight * ofGate;
    return {ofWeight, -ofGate.sum().reshape(saved[1].sizes()), at::Tensor(), at::Tensor()};
  }
};

// w 1[score > cut]; the score's gradient goes straight through the step.
struct ScoreEffectiveWeight : torch::autograd::Function<ScoreEffectiveWeight> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& weight, const at::Tensor& score,
                            double cut) {
    const at::Tensor kept = score > cut;
    context->save_for_backward({weight, kept});
    return at::where(kept, weight, at::zeros_like(weight));
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    return {gradients[0] * saved[1], gradients[0] * saved[0], at::Tensor()};
  }
};

std::tuple<at::Tensor, at::Tensor> ltpEffectiveWeight(const at::Tensor& weight, const at::Tensor& threshold,
                                                      const at::Tensor& temperature, bool exact) {
  TORCH_CHECK_VALUE(threshold.numel() == 1 && temperature.numel() == 1,
                    "ltp_effective_weight: expected one threshold and one temperature, found ",
                    threshold.numel(), " and ", temperature.numel());
  const variable_list outputs = LtpEffectiveWeight::apply(weight, threshold, temperature, exact);
  return {outputs[0], outputs[1]};
}

at::Tensor scoreEffectiveWeight(const at::Tensor& weight, const at::Tensor& score, double cut) {
  TORCH_CHECK_VALUE(weight.sizes() == score.sizes(), "score_effective_weight: expected a score of shape ",
                    weight.sizes(), " as the weight, found ", score.sizes());
  return ScoreEffectiveWeight::apply(weight, score, cut);
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
