#pragma once

#include <torch/library.h>

#include "kernels/operators/admm.h"
#include "kernels/operators/ltp.h"
#include "kernels/operators/masked_step.h"
#include "kernels/operators/scores.h"
#include "kernels/operators/statistics.h"

namespace espalier::kernels {

// Registers every operator that goes over elements for the device of `Driver` (operators/common.h).
template <class Driver>
void implement(torch::Library& m) {
  m.impl("masked_sgd_", TORCH_FN(MaskedStepOperators<Driver>::maskedSgd));
  m.impl("masked_adam_", TORCH_FN(MaskedStepOperators<Driver>::maskedAdam));
  m.impl("ltp_gate_", TORCH_FN(LtpOperators<Driver>::ltpGate));
  m.impl("ltp_step_", TORCH_FN(LtpOperators<Driver>::ltpStep));
  m.impl("score_apply_", TORCH_FN(ScoreOperators<Driver>::scoreApply));
  m.impl("score_adam_", TORCH_FN(ScoreOperators<Driver>::scoreAdam));
  m.impl("admm_penalty_", TORCH_FN(AdmmOperators<Driver>::admmPenalty));
  m.impl("admm_shrink_", TORCH_FN(AdmmOperators<Driver>::admmShrink));
  m.impl("admm_keep_", TORCH_FN(AdmmOperators<Driver>::admmKeep));
  m.impl("admm_dual_", TORCH_FN(AdmmOperators<Driver>::admmDual));
  m.impl("statistics", TORCH_FN(StatisticsOperators<Driver>::statistics));
  m.impl("raise_if_not_finite_", TORCH_FN(StatisticsOperators<Driver>::raiseIfNotFinite));
}

}  // namespace espalier::kernels
