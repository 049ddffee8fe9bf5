#pragma once

#include <torch/types.h>

namespace espalier {

// Cross-entropy per sample, [n]. `smoothing` in [0, 1): that share of the target is spread evenly over all
// classes (Szegedy et al. 2016, section 7).
at::Tensor crossEntropy(const at::Tensor& logits, const at::Tensor& labels, double smoothing);

// Kullback-Leibler divergence per sample, [n], from the teacher's softened outputs, times temperature^2 so
// that gradients keep their size (Hinton et al. 2015, section 2).
at::Tensor softTargets(const at::Tensor& logits, const at::Tensor& teacherLogits, double temperature);

}  // namespace espalier
