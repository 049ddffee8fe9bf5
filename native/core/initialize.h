#pragma once

#include <cstdint>
#include <string_view>

#include <ATen/core/Tensor.h>

namespace espalier {

// Fills a dense CPU or device tensor from U(-bound, bound). The stream depends on the seed and on the
// parameter's path only, so the same seed gives the same bytes on every machine, and leaving one parameter
// out does not change another.
void fillUniform(const at::Tensor& tensor, double bound, uint64_t seed, std::string_view path);

// The same from N(0, 1).
void fillNormal(const at::Tensor& tensor, uint64_t seed, std::string_view path);

// PyTorch's default for convolution and linear layers (kaiming_uniform with a = sqrt(5) for the weight, its
// fan-in bound for the bias): both are U(-1/sqrt(fanIn), 1/sqrt(fanIn)). `bias` may be undefined; `path` is
// the layer's. The fan-in is taken from the weight as PyTorch does: size(1) times the kernel's area.
void initializeLayer(const at::Tensor& weight, const at::Tensor& bias, uint64_t seed, std::string_view path);

}  // namespace espalier
