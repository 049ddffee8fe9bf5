#pragma once

#include <ATen/core/Tensor.h>

// Selection by magnitude: what all devices check. Of equal magnitudes the first in the order of tensors and
// index is the lowest, so the same weights are cut on every device and with any number of threads.
namespace espalier::kernels {

void checkMagnitudes(const char* op, at::TensorList tensors);
// `count` from 0 to how many elements there are.
void checkCount(const char* op, const char* name, int64_t count, at::TensorList tensors);
void checkEach(const char* op, at::TensorList tensors, at::IntArrayRef cuts);
void checkLimits(const char* op, at::TensorList tensors, int64_t cut, at::IntArrayRef least,
                 at::IntArrayRef most);
void checkNOfM(const char* op, at::TensorList tensors, int64_t n, int64_t m);
[[noreturn]] void failNotANumber(const char* op, size_t tensor);

}  // namespace espalier::kernels
