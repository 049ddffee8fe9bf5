#pragma once

#include <torch/types.h>

namespace espalier {

struct NtXent {
  at::Tensor losses;   // per sample, the mean over its two views: [n]
  at::Tensor matched;  // whether a view is nearest to its other view: bool [2n]
};

// The normalised temperature-scaled cross-entropy of two views of n samples (SimCLR: Chen et al. 2020, eq.
// 1): each of the 2n embeddings has to pick its partner among the 2n - 1 others by cosine similarity over
// `temperature`. `first`, `second` [n, D], row i of both from sample i; differentiable in both.
NtXent ntXent(const at::Tensor& first, const at::Tensor& second, double temperature);

}  // namespace espalier
