#include "core/objectives/mmd.h"

#include <cmath>

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

// Of all kernels, summed.
at::Tensor kernelSum(const at::Tensor& distances, const at::Tensor& width, const MmdKernels& kernels) {
  // The widest kernel first: with a factor of 2 each of the others is the square of the one before.
  double scale = std::pow(kernels.factor, static_cast<double>(kernels.count - 1));
  at::Tensor kernel = at::exp(distances / (width * -scale));
  at::Tensor sum = kernel;
  for (int64_t i = 1; i < kernels.count; ++i) {
    scale /= kernels.factor;
    kernel = kernels.factor == 2 ? kernel.square() : at::exp(distances / (width * -scale));
    sum = sum + kernel;
  }
  return sum;
}

}  // namespace

at::Tensor maximumMeanDiscrepancy(const at::Tensor& a, const at::Tensor& b, const MmdKernels& kernels) {
  const bool wide = a.scalar_type() == at::kDouble || a.size(1) > 50000;
  const at::Tensor points = at::cat({a, b}).to(wide ? at::kDouble : at::kFloat);
  const auto pairs = static_cast<double>(points.size(0) * (points.size(0) - 1));
  const at::Tensor distances = squaredDistances(points);
  const int64_t below = kernels.count / 2;
  const double middle = std::pow(kernels.factor, static_cast<double>(below));
  const at::Tensor width = distances.detach().sum() / pairs / middle + 1e-12;
  const at::Tensor sum = kernelSum(distances, width, kernels);
  const int64_t n = a.size(0);
  const at::Tensor discrepancy = sum.slice(0, 0, n).slice(1, 0, n).mean() +
                                 sum.slice(0, n).slice(1, n).mean() - sum.slice(0, 0, n).slice(1, n).mean() -
                                 sum.slice(0, n).slice(1, 0, n).mean();
  return discrepancy.to(a.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
}

}  // namespace espalier
