#pragma once

#include <vector>

#include <torch/types.h>

#include "methods/authorize/non_transferable_learning_fields.h"

// The two networks of a conditional GAN (Wang et al. 2022, appendix; their official code), widths scaled by
// AugmentationOptions::channels. Batch norms are over the batch at hand throughout.
//
// Both are parts of a state.
namespace espalier::non_transferable_learning {

// Noise and a class to images: a linear layer to a sixteenth of the size, then four transposed convolutions
// that double it.
class Artist {
 public:
  Artist() = default;
  Artist(const AugmentationOptions& options, int64_t classes, std::vector<int64_t> shape, uint64_t seed,
         c10::Device device);

  // [n, latent] and [n] to images [n, C, H, W] in [0, 1].
  at::Tensor operator()(const at::Tensor& noise, const at::Tensor& labels) const;
  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  // Takes a share of each convolution's first dimension out of the next update: what differs between
  // directions. `direction` of `directions`.
  void hold(int64_t direction, int64_t directions) const;

  template <class V>
  void fields(V&& visit) {
    visit("parameters", parameters_);
  }

 private:
  int64_t classes_ = 0;
  std::vector<int64_t> shape_;
  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> convolutions_;  // among the parameters
};

// Images to features, whether they are real, and which class they show: four convolutions that halve the
// size.
class Critic {
 public:
  Critic() = default;
  Critic(const AugmentationOptions& options, int64_t classes, const std::vector<int64_t>& shape,
         uint64_t seed, c10::Device device);

  struct Opinion {
    at::Tensor features;  // [n, D]
    at::Tensor validity;  // [n]: 1 for a real one
    at::Tensor logits;    // [n, classes]
  };
  // With a generator a quarter of the channels is dropped, as while it is trained.
  Opinion operator()(const at::Tensor& images, const std::optional<at::Generator>& dropping = {}) const;
  const std::vector<at::Tensor>& parameters() const { return parameters_; }

  template <class V>
  void fields(V&& visit) {
    visit("parameters", parameters_);
  }

 private:
  std::vector<at::Tensor> parameters_;
};

}  // namespace espalier::non_transferable_learning
