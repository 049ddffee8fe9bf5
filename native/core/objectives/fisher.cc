#include "core/objectives/fisher.h"

#include <torch/utils.h>

namespace espalier {

at::Tensor fisherRatio(const at::Tensor& features, const at::Tensor& labels, int64_t classes) {
  const at::Tensor exact = features.scalar_type() == at::kDouble ? features : features.to(at::kFloat);
  const at::Tensor phi = (exact / exact.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12)).flatten(1);
  const auto size = static_cast<double>(phi.size(1));

  // Not at::one_hot, which reads the labels back to check them.
  const at::Tensor members = at::arange(classes, labels.options()).unsqueeze(1).eq(labels).to(phi.options());
  const at::Tensor counts = members.sum(1);
  const at::Tensor present = counts.ge(2).to(phi.options());
  const at::Tensor share = present / counts.clamp_min(1);  // of a sample in the mean of its class
  const at::Tensor countPresent = present.sum().clamp_min(1);

  const at::Tensor means = at::mm(members, phi) * share.unsqueeze(1);
  const at::Tensor within =
      ((phi - means.index_select(0, labels)).square().sum(1) * share.index_select(0, labels)).sum() / size;
  // Of one class alone this is exactly zero, with its gradient: the mean of the means is that class's.
  const at::Tensor middle = means.sum(0) / countPresent;
  const at::Tensor between = ((means - middle).square().sum(1) * present).sum() / (countPresent * size);
  return between / (within + 1e-6);
}

}  // namespace espalier
