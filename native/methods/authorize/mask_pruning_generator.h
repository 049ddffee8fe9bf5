#pragma once

#include <vector>

#include <torch/types.h>

#include "core/train/optimizer.h"
#include "core/train/trainer.h"
#include "methods/authorize/mask_pruning_fields.h"

// Images that stand for a source that is not there: made by a network of noise and a class, such that the
// given model takes them for that class and its batch norms for what they were trained on (after Chen et al.
// 2019, DAFL, arXiv 1904.01186, and Yin et al. 2020, DeepInversion, arXiv 1912.08795).
namespace espalier::mask_pruning {

// Linear layer to a quarter of the size, then twice: doubled, convolved; batch norms over the batch at hand.
//
// Part of a state.
class ImageGenerator {
 public:
  ImageGenerator() = default;
  // `shape`: [C, H, W] of an image.
  ImageGenerator(const GeneratorOptions& options, int64_t classes, std::vector<int64_t> shape, uint64_t seed,
                 c10::Device device);

  // [n, latent] and [n] to images [n, C, H, W] in [0, 1].
  at::Tensor operator()(const at::Tensor& noise, const at::Tensor& labels) const;
  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  int64_t classes() const { return classes_; }

  template <class V>
  void fields(V&& visit) {
    visit("parameters", parameters_);
  }

 private:
  int64_t classes_ = 0;
  std::vector<int64_t> shape_;
  std::vector<at::Tensor> parameters_;
};

// Images with the given model's answers, at most `capacity`: a new one takes the place of any.
//
// Part of a state.
class ImageMemory {
 public:
  ImageMemory() = default;
  ImageMemory(int64_t capacity, const std::vector<int64_t>& shape, int64_t classes, c10::Device device);

  // `logits` are the given model's.
  void add(const at::Tensor& images, const at::Tensor& logits, at::Generator generator);
  int64_t size() const { return size_; }
  struct Draw {
    at::Tensor images;
    at::Tensor logits;
  };
  Draw draw(int64_t count, at::Generator generator) const;
  // How many images there are of the class that has the fewest.
  int64_t fewest() const;

  template <class V>
  void fields(V&& visit) {
    visit("images", images_);
    visit("logits", logits_);
    visit("size", size_);
  }

 private:
  at::Tensor images_;
  at::Tensor logits_;
  int64_t size_ = 0;
};

// The mean over channels of the squared distances of mean and (biased) variance of what goes into a batch
// norm from its running statistics, summed over the norms (DeepInversion, eq. 4).
at::Tensor normStatistics(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& means,
                          const std::vector<at::Tensor>& variances);
// The entropy of the mean prediction, nats: largest where all classes are used alike.
at::Tensor diversity(const at::Tensor& logits);
// The Jensen-Shannon divergence of two predictions, nats, mean over samples.
at::Tensor disagreement(const at::Tensor& logits, const at::Tensor& others);
// The sum of absolute differences of neighbours, mean over images.
at::Tensor variation(const at::Tensor& images);

// The given model, and where what its batch norms read and what its classifier reads can be tapped.
class Teacher {
 public:
  Teacher() = default;
  explicit Teacher(std::shared_ptr<Model> model);

  bool hasNorms() const { return !means_.empty(); }
  struct Seen {
    at::Tensor logits;
    at::Tensor features;    // [n, D], what the classifier reads
    at::Tensor statistics;  // normStatistics; undefined without batch norms
  };
  Seen see(const at::Tensor& images) const;
  // Without a gradient.
  at::Tensor answer(const at::Tensor& images) const;

 private:
  std::shared_ptr<Model> model_;
  std::vector<TapPoint> points_;  // the norms, then the classifier
  std::vector<at::Tensor> means_;
  std::vector<at::Tensor> variances_;
};

}  // namespace espalier::mask_pruning
