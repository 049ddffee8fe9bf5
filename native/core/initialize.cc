#include "core/initialize.h"

#include <cmath>
#include <numbers>
#include <string>

#include <ATen/core/grad_mode.h>

#include "core/random.h"

namespace espalier {
void fillUniform(const at::Tensor& tensor, double bound, uint64_t seed, std::string_view path) {
  const at::NoGradGuard noGrad;
  SplitMix64 stream(mixSeed(seed, path));
  const at::Tensor values = at::empty(tensor.sizes(), at::TensorOptions(at::kDouble));
  double* data = values.mutable_data_ptr<double>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    // 2u - 1 is exact, so that one rounding remains, whatever the compiler contracts.
    data[i] = (2 * stream.uniform() - 1) * bound;
  }
  tensor.copy_(values);
}

void fillNormal(const at::Tensor& tensor, uint64_t seed, std::string_view path) {
  const at::NoGradGuard noGrad;
  SplitMix64 stream(mixSeed(seed, path));
  const at::Tensor values = at::empty(tensor.sizes(), at::TensorOptions(at::kDouble));
  double* data = values.mutable_data_ptr<double>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    // Box and Muller; 1 - u is never 0.
    const double radius = std::sqrt(-2 * std::log(1 - stream.uniform()));
    data[i] = radius * std::cos(2 * std::numbers::pi * stream.uniform());
  }
  tensor.copy_(values);
}

void initializeLayer(const at::Tensor& weight, const at::Tensor& bias, uint64_t seed, std::string_view path) {
  const int64_t fanIn = weight.size(0) == 0 ? 0 : weight.numel() / weight.size(0);
  const double bound = fanIn > 0 ? 1 / std::sqrt(static_cast<double>(fanIn)) : 0;
  fillUniform(weight, bound, seed, std::string(path) + ".weight");
  if (bias.defined()) fillUniform(bias, bound, seed, std::string(path) + ".bias");
}

}  // namespace espalier
