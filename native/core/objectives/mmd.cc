#include "core/objectives/mmd.h"

#include <torch/utils.h>

namespace espalier {

namespace {

// Squared distances of all pairs by the Gram matrix: memory for [N, N], never for [N, N, D].
at::Tensor squaredDistances(const at::Tensor& points) {
  // Distances are the same from anywhere; from the middle their large parts do not have to cancel.
  const at::Tensor centred = points - points.detach().mean(0);
  const at::Tensor squares = centred.square().sum(1);
  return (squares.unsqueeze(1) + squares - 2 * at::mm(centred, centred.t())).clamp_min(0);
}

}  // namespace

at::Tensor maximumMeanDiscrepancy(const at::Tensor& a, const at::Tensor& b) {
  const bool wide = a.scalar_type() == at::kDouble || a.size(1) > 50000;
  const at::Tensor points = at::cat({a, b}).to(wide ? at::kDouble : at::kFloat);
  const auto pairs = static_cast<double>(points.size(0) * (points.size(0) - 1));
  const at::Tensor distances = squaredDistances(points);
  const at::Tensor width = distances.detach().sum() / pairs / 4 + 1e-12;

  // The widest kernel first: each of the others is the square of the one before.
  at::Tensor kernel = at::exp(distances / (width * -16));
  at::Tensor kernels = kernel;
  for (int i = 1; i < 5; ++i) {
    kernel = kernel.square();
    kernels = kernels + kernel;
  }
  const int64_t n = a.size(0);
  const at::Tensor discrepancy =
      kernels.slice(0, 0, n).slice(1, 0, n).mean() + kernels.slice(0, n).slice(1, n).mean() -
      kernels.slice(0, 0, n).slice(1, n).mean() - kernels.slice(0, n).slice(1, 0, n).mean();
  return discrepancy.to(a.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
}

}  // namespace espalier
