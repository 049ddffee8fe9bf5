#pragma once

#include <torch/types.h>

namespace espalier {

struct MmdKernels {
  int64_t count = 5;
  double factor = 2;  // from one width to the next
};

// The squared maximum mean discrepancy of two samples under a sum of Gaussian kernels, as NTL measures
// the distance between two domains (Wang et al. 2022; Gretton et al. 2012 for the statistic, i = j included):
//   mean k(a_i, a_j) + mean k(b_i, b_j) - 2 mean k(a_i, b_j),
//   k(x, y) = sum_{q=0..count-1} exp(-|x - y|^2 / (factor^q w)),
// w = the mean squared distance between two different samples of a and b together over
// factor^floor(count / 2): a quarter of it for the published five kernels of factor 2. w is no part of the
// gradient. In [0, 2 count). It adapts to the features, so scaling them changes nothing.
//
// `a` [n, D], `b` [m, D]: features, flattened. One element, differentiable in both; in float64 for float64
// and for more than 50,000 features, where a sum in float32 is too coarse, and returned in float32 then. The
// device is never waited for.
at::Tensor maximumMeanDiscrepancy(const at::Tensor& a, const at::Tensor& b, const MmdKernels& kernels = {});
// The same of samples that stand in one matrix, `n` of the first and then those of the second.
at::Tensor maximumMeanDiscrepancy(const at::Tensor& both, int64_t n, const MmdKernels& kernels);

}  // namespace espalier
