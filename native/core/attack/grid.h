#pragma once

#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>

namespace espalier {

// Weights rounded to a symmetric uniform grid and written back as what they were (simulated quantisation, in
// the words of Jacob et al. 2018): scale = max|w| / (2^(bits - 1) - 1), w' = scale * round(w / scale), half
// to even. One scale for each index along `channelDim`, or one for all. What is zero stays zero, and what is
// on the grid stays as it is. The weights must be finite.
at::Tensor quantized(const at::Tensor& weights, int64_t bits, std::optional<int64_t> channelDim);

}  // namespace espalier
