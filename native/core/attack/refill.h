#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>

namespace espalier {

// What an attacker puts where a weight was pruned. Both of the weight's shape and type.

// Normal with variance 2 / fan-in (He et al. 2015, eq. 10); the stream depends on the seed and the path
// alone.
at::Tensor heNoise(const at::Tensor& weight, const std::string& path, uint64_t seed);

// The mean of the weights that are not zero, everywhere; zero where all are.
at::Tensor keptMean(const at::Tensor& weight);

// For a model that has no zeros to refill: ERR_MODEL_UNSUPPORTED.
[[noreturn]] void failWithoutZeros(std::string_view method);

}  // namespace espalier
