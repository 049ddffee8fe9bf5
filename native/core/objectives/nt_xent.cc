#include "core/objectives/nt_xent.h"

#include <limits>

#include <torch/utils.h>

namespace espalier {

NtXent ntXent(const at::Tensor& first, const at::Tensor& second, double temperature) {
  const int64_t n = first.size(0);
  const at::Tensor views = at::cat({first, second});
  const at::Tensor unit = views / views.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
  // Nothing is its own partner.
  const at::Tensor itself = at::eye(2 * n, unit.options().dtype(at::kBool));
  const at::Tensor similarities =
      (at::mm(unit, unit.t()) / temperature).masked_fill(itself, -std::numeric_limits<double>::infinity());
  const at::Tensor partners = at::arange(2 * n, unit.options().dtype(at::kLong)).roll(n);
  const at::Tensor losses = at::cross_entropy_loss(similarities, partners, {}, at::Reduction::None);
  return {losses.view({2, n}).mean(0), similarities.detach().argmax(1).eq(partners)};
}

}  // namespace espalier
