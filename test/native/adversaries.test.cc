#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "methods/authorize/non_transferable_learning_adversaries.h"

using namespace espalier;
using namespace espalier::non_transferable_learning;

namespace {

AugmentationOptions smallNetworks() {
  AugmentationOptions options;
  options.latent = 6;
  options.channels = 32;
  return options;
}

}  // namespace

TEST("adversaries: images of the asked shape in [0, 1], the same from the same seed") {
  const AugmentationOptions options = smallNetworks();
  const Artist first(options, 3, {2, 20, 17}, 5, at::kCPU);
  const Artist second(options, 3, {2, 20, 17}, 5, at::kCPU);
  const at::Tensor noise = torch::linspace(-1, 1, 4 * 6).reshape({4, 6});
  const at::Tensor labels = torch::tensor({0, 1, 2, 1}, torch::kLong);
  const at::Tensor images = first(noise, labels);
  EXPECT(images.sizes().vec() == (std::vector<int64_t>{4, 2, 20, 17}));
  EXPECT(images.min().item<float>() >= 0 && images.max().item<float>() <= 1);
  EXPECT(torch::equal(images, second(noise, labels)));
  EXPECT(!torch::equal(images, first(noise, torch::zeros({4}, torch::kLong))));
}

TEST(
    "adversaries: the critic has features, a validity and a class for each image, and drops channels only "
    "when asked") {
  const Critic critic(smallNetworks(), 3, {2, 20, 17}, 5, at::kCPU);
  const at::Tensor images = torch::rand({4, 2, 20, 17});
  const Critic::Opinion opinion = critic(images);
  // 20 x 17 halved four times, upwards: 2 x 2, of 16 channels.
  EXPECT(opinion.features.sizes().vec() == (std::vector<int64_t>{4, 64}));
  EXPECT(opinion.validity.sizes().vec() == (std::vector<int64_t>{4}));
  EXPECT(opinion.logits.sizes().vec() == (std::vector<int64_t>{4, 3}));
  EXPECT(torch::equal(opinion.features, critic(images).features));
  EXPECT(!torch::equal(opinion.features, critic(images, at::detail::createCPUGenerator(1)).features));
}

TEST("adversaries: a direction holds its share of each convolution, and the first holds nothing") {
  const Artist artist(smallNetworks(), 3, {1, 16, 16}, 5, at::kCPU);
  const auto gradients = [&](int64_t direction) {
    for (const at::Tensor& parameter : artist.parameters()) parameter.mutable_grad().reset();
    artist(torch::ones({4, 6}), torch::tensor({0, 1, 2, 0}, torch::kLong)).square().sum().backward();
    artist.hold(direction, 4);
    std::vector<at::Tensor> all;
    for (const at::Tensor& parameter : artist.parameters()) all.push_back(parameter.grad().clone());
    return all;
  };
  const std::vector<at::Tensor> free = gradients(0);
  const std::vector<at::Tensor> held = gradients(3);
  int convolutions = 0;
  for (size_t i = 0; i < free.size(); ++i) {
    if (free[i].dim() != 4) continue;
    ++convolutions;
    const int64_t part = free[i].size(0) / 4 * 3;
    EXPECT_EQ(held[i].slice(0, 0, part).abs().sum().item<float>(), 0.0F);
    EXPECT(held[i].slice(0, part).allclose(free[i].slice(0, part)));
    EXPECT(free[i].slice(0, 0, part).abs().sum().item<float>() > 0);
  }
  EXPECT_EQ(convolutions, 4);
  // The linear layer is no convolution.
  EXPECT(held[0].allclose(free[0]));
}
