#pragma once

#include "kernels/functors/scores.h"
#include "kernels/operators/common.h"

namespace espalier::kernels {

template <class Driver>
struct ScoreOperators {
  // [tensors, 1]: how many are kept.
  static at::Tensor scoreApply(at::TensorList weights, at::TensorList scores, at::TensorList effective,
                               double cut) {
    constexpr const char* kOp = "score_apply_";
    TORCH_CHECK_VALUE(!weights.empty(), kOp, ": expected at least one tensor, found none");
    checkStreams(kOp, {{"weights", weights}, {"scores", scores}, {"effective", effective, true}});
    checkMasters(kOp, weights, {{"scores", scores}});
    at::Tensor kept;
    dispatch(kOp, weights, "effective", effective, [&](auto master, auto narrow) {
      using T = typename decltype(master)::type;
      using H = typename decltype(narrow)::type;
      std::vector<ScoreApply<T, H>> functors(weights.size());
      for (size_t i = 0; i < weights.size(); ++i) {
        functors[i] = {constPointer<T>(weights, i), constPointer<T>(scores, i), pointer<H>(effective, i),
                       static_cast<T>(cut)};
      }
      kept = Driver::each(functors, weights);
    });
    return kept;
  }

  static void scoreAdam(at::TensorList scores, at::TensorList weights, at::TensorList gradients,
                        at::TensorList first, at::TensorList second, at::TensorList steps,
                        double learningRate, double beta1, double beta2, double epsilon,
                        const std::optional<at::Tensor>& skip) {
    constexpr const char* kOp = "score_adam_";
    checkStreams(kOp, {{"scores", scores, true},
                       {"weights", weights},
                       {"gradients", gradients},
                       {"first_moments", first, true},
                       {"second_moments", second, true}});
    if (scores.empty()) return;
    checkMasters(kOp, scores, {{"weights", weights}, {"first_moments", first}, {"second_moments", second}});
    checkFlag(kOp, "skip", skip, scores);
    dispatch(kOp, scores, "gradients", gradients, [&](auto master, auto narrow) {
      using T = typename decltype(master)::type;
      using H = typename decltype(narrow)::type;
      // Last of the checks: what is refused was not counted as a step.
      const at::Tensor coefficients =
          advanceAdam<Driver>(kOp, scores, steps, learningRate, beta1, beta2, flagPointer(skip));
      std::vector<ScoreAdam<T, H>> functors(scores.size());
      for (size_t i = 0; i < scores.size(); ++i) {
        functors[i] = {pointer<T>(scores, i),           constPointer<T>(weights, i),
                       constPointer<H>(gradients, i),   pointer<T>(first, i),
                       pointer<T>(second, i),           flagPointer(skip),
                       coefficientsOf(coefficients, i), adamRates<T>(beta1, beta2),
                       static_cast<T>(epsilon)};
      }
      Driver::each(functors, scores);
    });
  }
};

}  // namespace espalier::kernels
