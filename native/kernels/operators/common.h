#pragma once

#include <utility>
#include <vector>

#include <ATen/ops/empty.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "kernels/check.h"
#include "kernels/functors/masked_step.h"

// From an operator's tensors to functors, for every device. `Driver` runs them:
//
//   template <class Functor> at::Tensor each(const std::vector<Functor>&, at::TensorList like);
//     over the elements of each tensor of `like`; the sums as float64 [tensors, kSums], undefined without
//     sums
//   template <class Functor> void once(const std::vector<Functor>&, const at::Tensor& like);
//     each functor is called once, on the device of `like`
//
// The meta device's driver does nothing, so that it checks the same and returns the same shapes.
namespace espalier::kernels {

template <class T>
T* pointer(at::TensorList list, size_t i) {
  return list.empty() ? nullptr : static_cast<T*>(list[i].mutable_data_ptr());
}
template <class T>
const T* constPointer(at::TensorList list, size_t i) {
  return list.empty() ? nullptr : static_cast<const T*>(list[i].const_data_ptr());
}
inline const bool* maskPointer(const Masks& masks, size_t i) {
  if (masks.empty()) return nullptr;
  const std::optional<at::Tensor> mask = masks.get(i);
  return mask && mask->defined() ? static_cast<const bool*>(mask->const_data_ptr()) : nullptr;
}
inline const float* flagPointer(const std::optional<at::Tensor>& flag) {
  return flag && flag->defined() ? static_cast<const float*>(flag->const_data_ptr()) : nullptr;
}
inline double* elements(const at::Tensor& tensor) { return static_cast<double*>(tensor.mutable_data_ptr()); }
inline const double* constElements(const at::Tensor& tensor) {
  return static_cast<const double*>(tensor.const_data_ptr());
}

template <class T>
struct Tag {
  using type = T;
};

// Calls body(master type, type of the effective weight) for the types that `narrow` has.
template <class Body>
void dispatch(const char* op, at::TensorList masters, const char* name, at::TensorList narrow, Body body) {
  const at::ScalarType master = masters[0].scalar_type();
  const at::ScalarType type = narrow.empty() ? master : narrow[0].scalar_type();
  checkType(op, "weights", masters, master);
  checkType(op, name, narrow, type);
  if (master == at::kDouble && type == at::kDouble) return body(Tag<double>(), Tag<double>());
  TORCH_CHECK_TYPE(master != at::kDouble, op, ": expected ", name, " in float64 as the weights, found ",
                   type);
  TORCH_CHECK_TYPE(master == at::kFloat, op, ": expected float32 or float64 weights, found ", master);
  if (type == at::kFloat) return body(Tag<float>(), Tag<float>());
  if (type == at::kHalf) return body(Tag<float>(), Tag<c10::Half>());
  if (type == at::kBFloat16) return body(Tag<float>(), Tag<c10::BFloat16>());
  TORCH_CHECK_TYPE(false, op, ": expected ", name, " in float32, float16 or bfloat16, found ", type);
}

inline void checkMasters(const char* op, at::TensorList weights,
                         std::initializer_list<std::pair<const char*, at::TensorList>> lists) {
  if (weights.empty()) return;
  for (const auto& [name, list] : lists) checkType(op, name, list, weights[0].scalar_type());
}

inline AdamStep<double>* coefficientsOf(const at::Tensor& coefficients, size_t i) {
  static_assert(sizeof(AdamStep<double>) == 2 * sizeof(double));
  return static_cast<AdamStep<double>*>(coefficients.mutable_data_ptr()) + i;
}

// Counts a step of Adam for each tensor; the coefficients for it, [tensors, 2].
template <class Driver>
at::Tensor advanceAdam(const char* op, at::TensorList weights, at::TensorList steps, double learningRate,
                       double beta1, double beta2, const float* skip) {
  checkType(op, "steps", steps, at::kFloat);
  TORCH_CHECK_VALUE(steps.size() == weights.size(), op, ": expected ", weights.size(),
                    " steps, one a tensor, found ", steps.size());
  checkApart(op, {{"steps", steps, true}});
  at::Tensor coefficients =
      at::empty({static_cast<int64_t>(steps.size()), 2}, weights[0].options().dtype(at::kDouble));
  std::vector<AdamAdvance> functors(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    TORCH_CHECK_VALUE(steps[i].numel() == 1 && steps[i].device() == weights[0].device(), op,
                      ": expected steps[", i, "] with one element on ", weights[0].device(), ", found ",
                      steps[i].sizes(), " on ", steps[i].device());
    functors[i] = {
        pointer<float>(steps, i), coefficientsOf(coefficients, i), skip, learningRate, beta1, beta2};
  }
  Driver::once(functors, weights[0]);
  return coefficients;
}

}  // namespace espalier::kernels
