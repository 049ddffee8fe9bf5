#include "kernels/ops.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include "kernels/cpu/driver.h"
#include "kernels/operators.h"

namespace espalier::kernels {

namespace {

// Looked up once an operator: the signature must be the declared one.
template <class Signature>
c10::TypedOperatorHandle<Signature> find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

}  // namespace

MaskList maskList(const Tensors& masks) {
  MaskList list;
  list.reserve(masks.size());
  for (const at::Tensor& mask : masks) {
    list.push_back(mask.defined() ? std::optional(mask) : std::nullopt);
  }
  return list;
}

void maskedSgd(const Tensors& weights, const Tensors& gradients, const Tensors& momenta,
               const MaskList& masks, const Tensors& effective, const SgdOptions& options, const Flag& skip) {
  static const auto op = find<decltype(MaskedStepOperators<cpu::Driver>::maskedSgd)>("espalier::masked_sgd_");
  op.call(weights, gradients, momenta, masks, {}, effective, options.learningRate, options.momentum,
          options.weightDecay, options.nesterov, 0, skip);
}

void maskedAdam(const Tensors& weights, const Tensors& gradients, const Tensors& firstMoments,
                const Tensors& secondMoments, const Tensors& steps, const MaskList& masks,
                const Tensors& effective, const AdamOptions& options, const Flag& skip) {
  static const auto op =
      find<decltype(MaskedStepOperators<cpu::Driver>::maskedAdam)>("espalier::masked_adam_");
  op.call(weights, gradients, firstMoments, secondMoments, steps, masks, {}, effective, options.learningRate,
          options.beta1, options.beta2, options.epsilon, options.weightDecay, options.decoupled, 0, skip);
}

at::Tensor ltpGate(const Tensors& weights, const MaskList& masks, const LtpThresholds& thresholds,
                   const std::vector<double>& leastKept, const Tensors& effective, bool counting) {
  static const auto op = find<decltype(LtpOperators<cpu::Driver>::ltpGate)>("espalier::ltp_gate_");
  return op.call(weights, masks, thresholds.thresholds, thresholds.previous, thresholds.temperatures,
                 leastKept, effective, counting);
}

at::Tensor ltpStep(const Tensors& weights, const Tensors& gradients, const Tensors& momenta,
                   const MaskList& masks, const LtpThresholds& thresholds, const LtpOptions& options,
                   const Flag& skip, const Flag& hold) {
  static const auto op = find<decltype(LtpOperators<cpu::Driver>::ltpStep)>("espalier::ltp_step_");
  return op.call(weights, gradients, momenta, masks, thresholds.thresholds, thresholds.previous,
                 thresholds.temperatures, thresholds.rates, options.cost, options.weights.learningRate,
                 options.weights.momentum, options.weights.weightDecay, options.weights.nesterov,
                 options.exact, options.normalised, skip, hold);
}

at::Tensor scoreApply(const Tensors& weights, const Tensors& scores, const Tensors& effective, double cut) {
  static const auto op = find<decltype(ScoreOperators<cpu::Driver>::scoreApply)>("espalier::score_apply_");
  return op.call(weights, scores, effective, cut);
}

void scoreAdam(const Tensors& scores, const Tensors& weights, const Tensors& gradients,
               const Tensors& firstMoments, const Tensors& secondMoments, const Tensors& steps,
               const AdamOptions& options, const Flag& skip) {
  static const auto op = find<decltype(ScoreOperators<cpu::Driver>::scoreAdam)>("espalier::score_adam_");
  op.call(scores, weights, gradients, firstMoments, secondMoments, steps, options.learningRate, options.beta1,
          options.beta2, options.epsilon, skip);
}

at::Tensor admmPenalty(const Tensors& gradients, const Tensors& weights, const Tensors& sparse,
                       const Tensors& duals, const MaskList& masks, double rho) {
  static const auto op = find<decltype(AdmmOperators<cpu::Driver>::admmPenalty)>("espalier::admm_penalty_");
  return op.call(gradients, weights, sparse, duals, masks, rho);
}

at::Tensor admmShrink(const Tensors& sparse, const Tensors& weights, const Tensors& duals,
                      const MaskList& masks, double delta) {
  static const auto op = find<decltype(AdmmOperators<cpu::Driver>::admmShrink)>("espalier::admm_shrink_");
  return op.call(sparse, weights, duals, masks, delta);
}

Tensors admmKeep(const Tensors& sparse, const Tensors& weights, const Tensors& duals, const MaskList& masks,
                 int64_t kept) {
  static const auto op = find<decltype(AdmmOperators<cpu::Driver>::admmKeep)>("espalier::admm_keep_");
  return op.call(sparse, weights, duals, masks, kept);
}

at::Tensor admmDual(const Tensors& duals, const Tensors& weights, const Tensors& sparse) {
  static const auto op = find<decltype(AdmmOperators<cpu::Driver>::admmDual)>("espalier::admm_dual_");
  return op.call(duals, weights, sparse);
}

Tensors selectLowest(const Tensors& tensors, int64_t cut) {
  static const auto op = find<Tensors(at::TensorList, int64_t)>("espalier::select_lowest");
  return op.call(tensors, cut);
}

Tensors selectLowestEach(const Tensors& tensors, const std::vector<int64_t>& cuts) {
  static const auto op = find<Tensors(at::TensorList, at::IntArrayRef)>("espalier::select_lowest_each");
  return op.call(tensors, cuts);
}

Tensors selectLowestBetween(const Tensors& tensors, int64_t cut, const std::vector<int64_t>& least,
                            const std::vector<int64_t>& most) {
  static const auto op = find<Tensors(at::TensorList, int64_t, at::IntArrayRef, at::IntArrayRef)>(
      "espalier::select_lowest_between");
  return op.call(tensors, cut, least, most);
}

Tensors selectNOfM(const Tensors& tensors, int64_t n, int64_t m) {
  static const auto op = find<Tensors(at::TensorList, int64_t, int64_t)>("espalier::select_n_of_m");
  return op.call(tensors, n, m);
}

at::Tensor statistics(const Tensors& tensors) {
  static const auto op = find<decltype(StatisticsOperators<cpu::Driver>::statistics)>("espalier::statistics");
  return op.call(tensors);
}

void raiseIfNotFinite(const at::Tensor& flag, const Tensors& tensors) {
  static const auto op =
      find<decltype(StatisticsOperators<cpu::Driver>::raiseIfNotFinite)>("espalier::raise_if_not_finite_");
  op.call(flag, tensors);
}

std::string instructionSet() { return cpu::instructionSet(); }

bool hasCuda() {
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow("espalier::masked_sgd_", "")
      .hasKernelForDispatchKey(c10::DispatchKey::CUDA);
}

}  // namespace espalier::kernels
