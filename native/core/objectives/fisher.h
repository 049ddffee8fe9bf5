#pragma once

#include <torch/types.h>

namespace espalier {

// How far the classes stand apart in feature space: the between-class over the within-class scatter of
// features that are normalised over the channels at every pixel (NTP: Ding et al. 2024, the regulariser
// R_phi; a trace ratio of Fisher's criterion). With phi of sample i and the mean mu_c of class c:
//   R = mean_{c, C, H, W} (mu_c - mu)^2 / (1e-6 + sum_c mean_{i of c, C, H, W} (phi_i - mu_c)^2),
// mu = mean_c mu_c. Only classes with two samples or more in the batch count; with fewer than two of those R
// is 0 and so is its gradient. The sum below and the mean above make R fall as 1/K: a weight has to grow
// with the number of classes.
//
// `features` [n, C, H, W] or [n, C], `labels` int64 [n] in [0, classes). One element, differentiable in the
// features; in float64 for float64, else in float32. The device is never waited for.
at::Tensor fisherRatio(const at::Tensor& features, const at::Tensor& labels, int64_t classes);

}  // namespace espalier
