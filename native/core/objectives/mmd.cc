#include "core/objectives/mmd.h"

#include <cmath>

#include <torch/csrc/autograd/custom_function.h>
#include <torch/utils.h>

namespace espalier {

namespace {

// Squared distances of all pairs by the Gram matrix: memory for [N, N], never for [N, N, D]; and one product
// for the gradient, which autograd would make of three.
// NOLINTBEGIN(readability-identifier-naming): `forward` and `backward` are torch's names
struct SquaredDistances : torch::autograd::Function<SquaredDistances> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& points) {
    const at::Tensor centred = centre(points);
    const at::Tensor products = at::mm(centred, centred.t());
    const at::Tensor squares = products.diagonal();
    context->save_for_backward({points, centred});
    return (squares.unsqueeze(1) + squares).sub_(products, 2).clamp_min_(0);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    // A gradient that is to be differentiated itself.
    const at::Tensor centred = at::GradMode::is_enabled() ? centre(saved[0]) : saved[1];
    // No distance has a slope where two points are one: what was clamped has none either.
    const at::Tensor pairs = gradients[0] + gradients[0].t();
    const at::Tensor graph = at::diag(pairs.sum(1)) - pairs;
    return {at::mm(graph * 2, centred)};
  }

 private:
  // Distances are the same from anywhere; from the middle their large parts do not have to cancel.
  static at::Tensor centre(const at::Tensor& points) { return points - points.detach().mean(0); }
};
// NOLINTEND(readability-identifier-naming)

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
  return maximumMeanDiscrepancy(at::cat({a, b}), a.size(0), kernels);
}

at::Tensor maximumMeanDiscrepancy(const at::Tensor& both, int64_t n, const MmdKernels& kernels) {
  const bool wide = both.scalar_type() == at::kDouble || both.size(1) > 50000;
  const at::Tensor points = both.to(wide ? at::kDouble : at::kFloat);
  const auto pairs = static_cast<double>(points.size(0) * (points.size(0) - 1));
  const at::Tensor distances = SquaredDistances::apply(points);
  const int64_t below = kernels.count / 2;
  const double middle = std::pow(kernels.factor, static_cast<double>(below));
  const at::Tensor width = distances.detach().sum() / pairs / middle + 1e-12;
  const at::Tensor sum = kernelSum(distances, width, kernels);
  const at::Tensor discrepancy = sum.slice(0, 0, n).slice(1, 0, n).mean() +
                                 sum.slice(0, n).slice(1, n).mean() - sum.slice(0, 0, n).slice(1, n).mean() -
                                 sum.slice(0, n).slice(1, 0, n).mean();
  return discrepancy.to(both.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
}

}  // namespace espalier
