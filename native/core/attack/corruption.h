#pragma once

#include <vector>

#include <torch/types.h>

// Corrupted views of images, on which a model should answer as it does on the images (TransNTL: Hong et al.
// 2024).
namespace espalier {

constexpr int64_t kCorruptions = 3;

// Views of images [n, C, H, W] in [0, 1], in [0, 1] themselves: x + e, (1 + e) x, and x blurred; e is one
// draw of Gaussian noise of standard deviation `noise` for both. The blur is 5 x 5, Gaussian of standard
// deviation 1.1 pixels, the image mirrored at its border; it takes images of at least 3 x 3.
std::vector<at::Tensor> corruptedViews(const at::Tensor& images, double noise, at::Generator generator);

// The mean of the groups' losses under `shares`, which move to the groups that do worst: each is multiplied
// by exp(0.01 loss), and they sum to 1 again (group DRO: Sagawa et al. 2020, algorithm 1). `shares` [groups]
// is replaced.
at::Tensor robustMean(const std::vector<at::Tensor>& losses, at::Tensor& shares);

}  // namespace espalier
