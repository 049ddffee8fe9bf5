#include "core/attack/refill.h"

#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/initialize.h"

namespace espalier {

at::Tensor heNoise(const at::Tensor& weight, const std::string& path, uint64_t seed) {
  const at::Tensor noise = torch::empty_like(weight.detach());
  fillNormal(noise, seed, path);
  const double fanIn = static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0));
  return noise * std::sqrt(2 / fanIn);
}

at::Tensor keptMean(const at::Tensor& weight) {
  const torch::NoGradGuard noGrad;
  const at::Tensor values = weight.detach();
  const auto kept = values.count_nonzero().item<int64_t>();
  const double mean = kept == 0 ? 0 : values.to(at::kDouble).sum().item<double>() / static_cast<double>(kept);
  return torch::full_like(values, mean);
}

void failWithoutZeros(std::string_view method) {
  fail(ErrorCode::kModelUnsupported, method,
       ": expected a pruned model, found no zeros in its prunable weights: use attack.fineTune");
}

}  // namespace espalier
