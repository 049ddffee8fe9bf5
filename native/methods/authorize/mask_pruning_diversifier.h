#pragma once

#include <vector>

#include <torch/types.h>

#include "core/train/optimizer.h"

// Neighbour domains of images that are there: the same content in another style (after Wang et al. 2021,
// Learning to Diversify, arXiv 2108.11726).
namespace espalier::mask_pruning {

// One direction. A 1 x 1 convolution, and convolutions of 5, 9, 13 and 17 pixels, as far as they fit into
// half of the image, with random weights that are drawn anew at each call; each followed by an instance norm,
// a learned scale and shift a pixel, and a transposed convolution of the same kind. Their mean under random
// weights, over the image.
//
// Part of a state.
class Diversifier {
 public:
  Diversifier() = default;
  Diversifier(const std::vector<int64_t>& shape, uint64_t seed, c10::Device device);

  // Images [n, C, H, W] in [0, 1] to such images.
  at::Tensor operator()(const at::Tensor& images, at::Generator generator) const;
  const std::vector<at::Tensor>& parameters() const { return parameters_; }

  template <class V>
  void fields(V&& visit) {
    visit("parameters", parameters_);
  }

 private:
  std::vector<int64_t> kernels_;
  std::vector<at::Tensor> parameters_;  // the noise's level; then scale and shift of each branch
};

// How much features of images tell about those of their neighbours: q(h | h') = N(mu(h'), exp(logvar(h'))),
// mu linear, logvar the tanh of a linear layer (Cheng et al. 2020, CLUB, arXiv 2006.12013).
//
// Part of a state.
class InformationBound {
 public:
  InformationBound() = default;
  InformationBound(int64_t features, uint64_t seed, c10::Device device);

  // Mean log-likelihood of `features` given `others`, both [n, D], up to a constant: maximised.
  at::Tensor likelihood(const at::Tensor& features, const at::Tensor& others) const;
  // The upper bound, nats; `order` [n]: a permutation that breaks the pairs.
  at::Tensor bound(const at::Tensor& features, const at::Tensor& others, const at::Tensor& order) const;
  const std::vector<at::Tensor>& parameters() const { return parameters_; }

  template <class V>
  void fields(V&& visit) {
    visit("parameters", parameters_);
  }

 private:
  struct Gaussian {
    at::Tensor mean;
    at::Tensor logVariance;
  };
  Gaussian given(const at::Tensor& others) const;

  std::vector<at::Tensor> parameters_;  // weight and bias of the mean, then of the logarithm of the variance
};

// The discrepancy of features within each class, mean over `classes`; classes of one sample count as 0.
at::Tensor meaning(const at::Tensor& features, const at::Tensor& others, const at::Tensor& labels,
                   int64_t classes);

}  // namespace espalier::mask_pruning
