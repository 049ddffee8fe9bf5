#pragma once

#include <cstdint>

#include "kernels/cuda/stream.h"

namespace espalier::kernels::cuda {

// Which chunks belong to which tensor.
struct Ranges {
  static constexpr int kMost = 256;
  int32_t count = 0;
  int32_t first[kMost + 1];
  int32_t tensor[kMost];
};

// sums[tensor * width + k] is the sum of partial[chunk * width + k] over the tensor's chunks.
void addPartials(const Ranges& ranges, const double* partial, int width, double* sums, Stream stream);

}  // namespace espalier::kernels::cuda
