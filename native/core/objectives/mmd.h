#pragma once

#include <torch/types.h>

namespace espalier {

// The squared maximum mean discrepancy of two samples under a sum of five Gaussian kernels, as NTL measures
// the distance between two domains (Wang et al. 2022; Gretton et al. 2012 for the statistic, i = j included):
//   mean k(a_i, a_j) + mean k(b_i, b_j) - 2 mean k(a_i, b_j),  k(x, y) = sum_{q=0..4} exp(-|x - y|^2 / (2^q
//   w)),
// w = a quarter of the mean squared distance between two different samples of a and b together. w is no part
// of the gradient. In [0, 10). It adapts to the features, so scaling them changes nothing.
//
// `a` [n, D], `b` [m, D]: features, flattened. One element, differentiable in both; in float64 for float64
// and for more than 50,000 features, where a sum in float32 is too coarse, and returned in float32 then. The
// device is never waited for.
at::Tensor maximumMeanDiscrepancy(const at::Tensor& a, const at::Tensor& b);

}  // namespace espalier
