#pragma once

#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "kernels/functors/ltp.h"
#include "kernels/operators/common.h"

namespace espalier::kernels {

template <class Driver>
struct LtpOperators {
  // [layers, 5]: kept, soft count, in transition, sum of slopes, and 1 where the last step was undone.
  static at::Tensor ltpGate(at::TensorList weights, const Masks& masks, const at::Tensor& thresholds,
                            const at::Tensor& previous, const at::Tensor& temperatures,
                            at::ArrayRef<double> leastKept, at::TensorList effective, bool counting) {
    constexpr const char* kOp = "ltp_gate_";
    checkStreams(kOp, {{"weights", weights}, {"effective", effective, true, true}});
    checkMasks(kOp, masks, weights);
    checkPerTensor(kOp, "thresholds", thresholds, weights);
    checkPerTensor(kOp, "previous", previous, weights);
    checkPerTensor(kOp, "temperatures", temperatures, weights);
    checkApart(kOp,
               {{"thresholds", thresholds, true}, {"previous", previous}, {"temperatures", temperatures}});
    TORCH_CHECK_VALUE(leastKept.empty() || leastKept.size() == weights.size(), kOp, ": expected ",
                      weights.size(), " least_kept, one a tensor, found ", leastKept.size());
    at::Tensor figures = at::zeros({static_cast<int64_t>(weights.size()), 5}, thresholds.options());
    if (weights.empty()) return figures;
    const at::Tensor again = at::zeros({thresholds.size(0)}, thresholds.options().dtype(at::kBool));
    dispatch(kOp, weights, "effective", effective, [&](auto master, auto narrow) {
      using T = typename decltype(master)::type;
      using H = typename decltype(narrow)::type;
      std::vector<LtpGate<T, H>> functors(weights.size());
      for (size_t i = 0; i < weights.size(); ++i) {
        LtpGate<T, H>& f = functors[i];
        f.weight = constPointer<T>(weights, i);
        f.effective = pointer<H>(effective, i);
        f.mask = maskPointer(masks, i);
        f.isCounting = counting;
        f.threshold = constElements(thresholds) + i;
        f.temperature = constElements(temperatures) + i;
      }
      at::Tensor sums = Driver::each(functors, weights);
      if (!leastKept.empty()) {
        std::vector<LtpCap> caps(weights.size());
        bool* wanted = static_cast<bool*>(again.mutable_data_ptr());
        for (size_t i = 0; i < caps.size(); ++i) {
          caps[i] = {elements(sums) + i * LtpGate<T, H>::kSums, elements(thresholds) + i,
                     constElements(previous) + i, wanted + i, leastKept[i]};
          functors[i].wanted = wanted + i;
        }
        Driver::once(caps, weights[0]);
        const at::Tensor redone = Driver::each(functors, weights);
        sums = at::where(again.unsqueeze(1), redone, sums);
      }
      figures.narrow(1, 0, LtpGate<T, H>::kSums).copy_(sums);
      figures.select(1, LtpGate<T, H>::kSums).copy_(again);
    });
    return figures;
  }

  // [layers, 3]: S0, S1, S2 of LtpStep.
  static at::Tensor ltpStep(at::TensorList weights, at::TensorList gradients, at::TensorList momenta,
                            const Masks& masks, const at::Tensor& thresholds, const at::Tensor& previous,
                            const at::Tensor& temperatures, const at::Tensor& rates, double cost,
                            double learningRate, double momentum, double weightDecay, bool nesterov,
                            bool exact, bool normalised, const std::optional<at::Tensor>& skip,
                            const std::optional<at::Tensor>& hold) {
    constexpr const char* kOp = "ltp_step_";
    checkStreams(kOp,
                 {{"weights", weights, true}, {"gradients", gradients}, {"momenta", momenta, true, true}});
    checkMasks(kOp, masks, weights);
    checkMasters(kOp, weights, {{"momenta", momenta}});
    for (const auto& [name, values] : {std::pair("thresholds", thresholds), std::pair("previous", previous),
                                       std::pair("temperatures", temperatures), std::pair("rates", rates)}) {
      checkPerTensor(kOp, name, values, weights);
    }
    checkApart(kOp, {{"thresholds", thresholds, true},
                     {"previous", previous, true},
                     {"temperatures", temperatures},
                     {"rates", rates}});
    checkFlag(kOp, "skip", skip, weights);
    checkFlag(kOp, "hold", hold, weights);
    TORCH_CHECK_VALUE(momentum == 0 || !momenta.empty(), kOp, ": expected momenta for momentum ", momentum,
                      ", found none");
    at::Tensor sums = at::zeros({static_cast<int64_t>(weights.size()), 3}, thresholds.options());
    if (weights.empty()) return sums;
    dispatch(kOp, weights, "gradients", gradients, [&](auto master, auto narrow) {
      using T = typename decltype(master)::type;
      using H = typename decltype(narrow)::type;
      std::vector<LtpStep<T, H>> functors(weights.size());
      for (size_t i = 0; i < weights.size(); ++i) {
        LtpStep<T, H>& f = functors[i];
        f.weight = pointer<T>(weights, i);
        f.gradient = constPointer<H>(gradients, i);
        f.momentum = momentum == 0 ? nullptr : pointer<T>(momenta, i);
        f.mask = maskPointer(masks, i);
        f.threshold = constElements(thresholds) + i;
        f.temperature = constElements(temperatures) + i;
        f.skip = flagPointer(skip);
        f.learningRate = static_cast<T>(learningRate);
        f.mu = static_cast<T>(momentum);
        f.weightDecay = static_cast<T>(weightDecay);
        f.lambda = static_cast<T>(cost);
        f.nesterov = nesterov;
        f.exact = exact;
      }
      sums = Driver::each(functors, weights);
    });
    std::vector<LtpThresholdStep> steps(weights.size());
    for (size_t i = 0; i < steps.size(); ++i) {
      steps[i] = {constElements(sums) + 3 * i,
                  elements(thresholds) + i,
                  elements(previous) + i,
                  constElements(temperatures) + i,
                  constElements(rates) + i,
                  flagPointer(skip),
                  flagPointer(hold),
                  cost,
                  normalised};
    }
    Driver::once(steps, weights[0]);
    return sums;
  }
};

}  // namespace espalier::kernels
