#pragma once

#include <ATen/ops/empty_like.h>

#include "kernels/functors/admm.h"
#include "kernels/operators/common.h"

namespace espalier::kernels {

template <class Driver>
struct AdmmOperators {
  // [tensors]: rho / 2 * ||W - Z + U||^2.
  static at::Tensor admmPenalty(at::TensorList gradients, at::TensorList weights, at::TensorList sparse,
                                at::TensorList duals, const Masks& masks, double rho) {
    constexpr const char* kOp = "admm_penalty_";
    TORCH_CHECK_VALUE(!weights.empty(), kOp, ": expected at least one tensor, found none");
    checkStreams(
        kOp, {{"gradients", gradients, true}, {"weights", weights}, {"sparse", sparse}, {"duals", duals}});
    checkMasters(kOp, weights, {{"sparse", sparse}, {"duals", duals}});
    checkMasks(kOp, masks, weights);
    at::Tensor sums;
    dispatch(kOp, weights, "gradients", gradients, [&](auto master, auto narrow) {
      using T = typename decltype(master)::type;
      using H = typename decltype(narrow)::type;
      std::vector<AdmmPenalty<T, H>> functors(weights.size());
      for (size_t i = 0; i < weights.size(); ++i) {
        functors[i] = {pointer<H>(gradients, i),  constPointer<T>(weights, i), constPointer<T>(sparse, i),
                       constPointer<T>(duals, i), maskPointer(masks, i),       static_cast<T>(rho)};
      }
      sums = Driver::each(functors, weights);
    });
    return sums.select(1, 0).mul(rho / 2);
  }

  // [tensors]: entries of Z that are not zero.
  static at::Tensor admmShrink(at::TensorList sparse, at::TensorList weights, at::TensorList duals,
                               const Masks& masks, double delta) {
    constexpr const char* kOp = "admm_shrink_";
    checkSplit(kOp, sparse, weights, duals, masks);
    at::Tensor sums;
    dispatch(kOp, weights, "weights", weights, [&](auto master, auto) {
      using T = typename decltype(master)::type;
      std::vector<AdmmShrink<T>> functors(weights.size());
      for (size_t i = 0; i < weights.size(); ++i) {
        functors[i] = {pointer<T>(sparse, i), constPointer<T>(weights, i), constPointer<T>(duals, i),
                       maskPointer(masks, i), static_cast<T>(delta)};
      }
      sums = Driver::each(functors, weights);
    });
    return sums.select(1, 0);
  }

  // Z is W + U on its `kept` entries of largest magnitude. Returns their masks.
  static std::vector<at::Tensor> admmKeep(at::TensorList sparse, at::TensorList weights, at::TensorList duals,
                                          const Masks& masks, int64_t kept) {
    constexpr const char* kOp = "admm_keep_";
    checkSplit(kOp, sparse, weights, duals, masks);
    int64_t all = 0;
    for (const at::Tensor& weight : weights) all += weight.numel();
    TORCH_CHECK_VALUE(kept >= 0 && kept <= all, kOp, ": expected kept from 0 to ", all, ", found ", kept);
    const auto project = [&](const Masks& by) {
      dispatch(kOp, weights, "weights", weights, [&](auto master, auto) {
        using T = typename decltype(master)::type;
        std::vector<AdmmProject<T>> functors(weights.size());
        for (size_t i = 0; i < weights.size(); ++i) {
          functors[i] = {pointer<T>(sparse, i), constPointer<T>(weights, i), constPointer<T>(duals, i),
                         maskPointer(by, i)};
        }
        Driver::each(functors, weights);
      });
    };
    project(masks);
    std::vector<at::Tensor> selected = Driver::selectLowest(sparse, all - kept);
    Masks by;
    for (size_t i = 0; i < selected.size(); ++i) {
      // In the memory layout of its weight.
      if (selected[i].strides() != weights[i].strides())
        selected[i] = at::empty_like(weights[i], at::kBool).copy_(selected[i]);
      const std::optional<at::Tensor> mask = masks.empty() ? std::nullopt : masks.get(i);
      if (mask && mask->defined()) selected[i].logical_and_(*mask);
      by.push_back(selected[i]);
    }
    project(by);
    return selected;
  }

  // [tensors, 2]: ||W - Z||^2 and ||W||^2.
  static at::Tensor admmDual(at::TensorList duals, at::TensorList weights, at::TensorList sparse) {
    constexpr const char* kOp = "admm_dual_";
    TORCH_CHECK_VALUE(!weights.empty(), kOp, ": expected at least one tensor, found none");
    checkStreams(kOp, {{"duals", duals, true}, {"weights", weights}, {"sparse", sparse}});
    checkMasters(kOp, weights, {{"duals", duals}, {"sparse", sparse}});
    at::Tensor sums;
    dispatch(kOp, weights, "weights", weights, [&](auto master, auto) {
      using T = typename decltype(master)::type;
      std::vector<AdmmDual<T>> functors(weights.size());
      for (size_t i = 0; i < weights.size(); ++i) {
        functors[i] = {pointer<T>(duals, i), constPointer<T>(weights, i), constPointer<T>(sparse, i)};
      }
      sums = Driver::each(functors, weights);
    });
    return sums;
  }

 private:
  static void checkSplit(const char* op, at::TensorList sparse, at::TensorList weights, at::TensorList duals,
                         const Masks& masks) {
    TORCH_CHECK_VALUE(!weights.empty(), op, ": expected at least one tensor, found none");
    checkStreams(op, {{"sparse", sparse, true}, {"weights", weights}, {"duals", duals}});
    checkMasters(op, weights, {{"sparse", sparse}, {"duals", duals}});
    checkMasks(op, masks, weights);
  }
};

}  // namespace espalier::kernels
