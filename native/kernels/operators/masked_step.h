#pragma once

#include "kernels/functors/masked_step.h"
#include "kernels/operators/common.h"

namespace espalier::kernels {

template <class Driver>
struct MaskedStepOperators {
  static void maskedSgd(at::TensorList weights, at::TensorList gradients, at::TensorList momenta,
                        const Masks& masks, at::TensorList averages, at::TensorList effective,
                        double learningRate, double momentum, double weightDecay, bool nesterov,
                        double averageDecay, const std::optional<at::Tensor>& skip) {
    constexpr const char* kOp = "masked_sgd_";
    checkStreams(kOp, {{"weights", weights, true},
                       {"gradients", gradients},
                       {"momenta", momenta, true, true},
                       {"averages", averages, true, true},
                       {"effective", effective, true, true}});
    checkMasks(kOp, masks, weights);
    if (weights.empty()) return;
    checkFlag(kOp, "skip", skip, weights);
    checkMasters(kOp, weights, {{"momenta", momenta}, {"averages", averages}});
    TORCH_CHECK_VALUE(momentum == 0 || !momenta.empty(), kOp, ": expected momenta for momentum ", momentum,
                      ", found none");
    dispatch(kOp, weights, "gradients", gradients, [&](auto master, auto narrow) {
      using T = typename decltype(master)::type;
      using H = typename decltype(narrow)::type;
      checkType(kOp, "effective", effective, gradients[0].scalar_type());
      std::vector<MaskedSgd<T, H>> functors(weights.size());
      for (size_t i = 0; i < weights.size(); ++i) {
        MaskedSgd<T, H>& f = functors[i];
        f.weight = pointer<T>(weights, i);
        f.gradient = constPointer<H>(gradients, i);
        f.momentum = momentum == 0 ? nullptr : pointer<T>(momenta, i);
        f.mask = maskPointer(masks, i);
        f.copies = {pointer<T>(averages, i), pointer<H>(effective, i), static_cast<T>(averageDecay)};
        f.skip = flagPointer(skip);
        f.learningRate = static_cast<T>(learningRate);
        f.mu = static_cast<T>(momentum);
        f.weightDecay = static_cast<T>(weightDecay);
        f.nesterov = nesterov;
      }
      Driver::each(functors, weights);
    });
  }

  static void maskedAdam(at::TensorList weights, at::TensorList gradients, at::TensorList first,
                         at::TensorList second, at::TensorList steps, const Masks& masks,
                         at::TensorList averages, at::TensorList effective, double learningRate, double beta1,
                         double beta2, double epsilon, double weightDecay, bool decoupled,
                         double averageDecay, const std::optional<at::Tensor>& skip) {
    constexpr const char* kOp = "masked_adam_";
    checkStreams(kOp, {{"weights", weights, true},
                       {"gradients", gradients},
                       {"first_moments", first, true},
                       {"second_moments", second, true},
                       {"averages", averages, true, true},
                       {"effective", effective, true, true}});
    checkMasks(kOp, masks, weights);
    if (weights.empty()) return;
    checkFlag(kOp, "skip", skip, weights);
    checkMasters(kOp, weights,
                 {{"first_moments", first}, {"second_moments", second}, {"averages", averages}});
    dispatch(kOp, weights, "gradients", gradients, [&](auto master, auto narrow) {
      using T = typename decltype(master)::type;
      using H = typename decltype(narrow)::type;
      checkType(kOp, "effective", effective, gradients[0].scalar_type());
      // Last of the checks: what is refused was not counted as a step.
      const at::Tensor coefficients =
          advanceAdam<Driver>(kOp, weights, steps, learningRate, beta1, beta2, flagPointer(skip));
      std::vector<MaskedAdam<T, H>> functors(weights.size());
      for (size_t i = 0; i < weights.size(); ++i) {
        MaskedAdam<T, H>& f = functors[i];
        f.weight = pointer<T>(weights, i);
        f.gradient = constPointer<H>(gradients, i);
        f.first = pointer<T>(first, i);
        f.second = pointer<T>(second, i);
        f.mask = maskPointer(masks, i);
        f.copies = {pointer<T>(averages, i), pointer<H>(effective, i), static_cast<T>(averageDecay)};
        f.skip = flagPointer(skip);
        f.coefficients = coefficientsOf(coefficients, i);
        f.learningRate = static_cast<T>(learningRate);
        f.rates = adamRates<T>(beta1, beta2);
        f.epsilon = static_cast<T>(epsilon);
        f.weightDecay = static_cast<T>(weightDecay);
        f.decoupled = decoupled;
      }
      Driver::each(functors, weights);
    });
  }
};

}  // namespace espalier::kernels
