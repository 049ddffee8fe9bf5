#pragma once

#include "kernels/functors/statistics.h"
#include "kernels/operators/common.h"

namespace espalier::kernels {

template <class Driver>
struct StatisticsOperators {
  // [tensors, 5]: zeros, NaNs, infinities, sum |x| and sum x^2 of the finite ones.
  static at::Tensor statistics(at::TensorList tensors) {
    TORCH_CHECK_VALUE(!tensors.empty(), "statistics: expected at least one tensor, found none");
    return reduce<Statistics>("statistics", tensors);
  }

  static void raiseIfNotFinite(const at::Tensor& flag, at::TensorList tensors) {
    constexpr const char* kOp = "raise_if_not_finite_";
    checkFlag(kOp, "flag", flag, tensors);
    if (tensors.empty()) return;
    const at::Tensor counts = reduce<CountNotFinite>(kOp, tensors);
    Driver::once(std::vector<RaiseFlag>{{constElements(counts), counts.numel(),
                                         static_cast<float*>(flag.mutable_data_ptr())}},
                 tensors[0]);
  }

 private:
  template <template <class, class> class Functor>
  static at::Tensor reduce(const char* op, at::TensorList tensors) {
    checkStreams(op, {{"tensors", tensors}});
    const at::ScalarType type = tensors[0].scalar_type();
    checkType(op, "tensors", tensors, type);
    const auto run = [&](auto narrow, auto wide) {
      using H = typename decltype(narrow)::type;
      using T = typename decltype(wide)::type;
      std::vector<Functor<H, T>> functors(tensors.size());
      for (size_t i = 0; i < tensors.size(); ++i) functors[i] = {constPointer<H>(tensors, i)};
      return Driver::each(functors, tensors);
    };
    if (type == at::kFloat) return run(Tag<float>(), Tag<float>());
    if (type == at::kHalf) return run(Tag<c10::Half>(), Tag<float>());
    if (type == at::kBFloat16) return run(Tag<c10::BFloat16>(), Tag<float>());
    TORCH_CHECK_TYPE(type == at::kDouble, op, ": expected floating point tensors, found ", type);
    return run(Tag<double>(), Tag<double>());
  }
};

}  // namespace espalier::kernels
