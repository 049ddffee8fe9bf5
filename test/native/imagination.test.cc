#include <cmath>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "methods/authorize/mask_pruning_diversifier.h"
#include "methods/authorize/mask_pruning_generator.h"

using namespace espalier;
using namespace espalier::mask_pruning;

namespace {

at::Tensor doubles(std::vector<double> values, std::vector<int64_t> shape) {
  return torch::tensor(values, torch::kDouble).reshape(shape);
}

}  // namespace

TEST("generator: the distance from what batch norms hold, by hand") {
  // One norm of two channels, two images of one pixel row: channel 0 has 1, 2, 3, 6, channel 1 has 0, 0,
  // 2, 2.
  const at::Tensor input = doubles({1, 2, 0, 0, 3, 6, 2, 2}, {2, 2, 1, 2});
  const at::Tensor mean = doubles({2, 1}, {2});
  const at::Tensor variance = doubles({3, 0.5}, {2});
  // Means 3 and 1; variances (4 + 1 + 0 + 9) / 4 = 3.5 and 1.
  const double expected = (1 + 0) / 2.0 + (0.25 + 0.25) / 2.0;
  EXPECT_NEAR(normStatistics({input}, {mean}, {variance}).item<double>(), expected, 1e-15);
  EXPECT_NEAR(normStatistics({input, input}, {mean, mean}, {variance, variance}).item<double>(), 2 * expected,
              1e-15);
}

TEST("generator: the entropy of the mean answer, the divergence of two, and the variation of an image") {
  const at::Tensor sure = doubles({50, 0, 0, 50}, {2, 2});
  EXPECT_NEAR(diversity(sure).item<double>(), std::log(2.0), 1e-9);
  EXPECT_NEAR(diversity(doubles({50, 0, 50, 0}, {2, 2})).item<double>(), 0, 1e-9);
  const at::Tensor p = torch::log(doubles({0.5, 0.5}, {1, 2}));
  const at::Tensor q = torch::log(doubles({0.9, 0.1}, {1, 2}));
  const auto divergence = [](double a, double b) { return a * std::log(a / b); };
  const double half =
      (divergence(0.5, 0.7) + divergence(0.5, 0.3) + divergence(0.9, 0.7) + divergence(0.1, 0.3)) / 2;
  EXPECT_NEAR(disagreement(p, q).item<double>(), half, 1e-9);
  EXPECT_NEAR(disagreement(p, p).item<double>(), 0, 1e-9);
  EXPECT_NEAR(variation(doubles({0, 1, 3, 1}, {1, 1, 2, 2})).item<double>(), 3 + 0 + 1 + 2, 1e-15);
}

TEST("generator: images of the asked shape in [0, 1], the same from the same seed") {
  GeneratorOptions options;
  options.latent = 8;
  options.channels = 6;
  const ImageGenerator first(options, 3, {2, 7, 9}, 5, at::kCPU);
  const ImageGenerator second(options, 3, {2, 7, 9}, 5, at::kCPU);
  const at::Tensor noise = torch::linspace(-1, 1, 4 * 8).reshape({4, 8});
  const at::Tensor labels = torch::tensor({0, 1, 2, 1}, torch::kLong);
  const at::Tensor images = first(noise, labels);
  EXPECT(images.sizes().vec() == (std::vector<int64_t>{4, 2, 7, 9}));
  EXPECT(images.min().item<float>() >= 0 && images.max().item<float>() <= 1);
  EXPECT(torch::equal(images, second(noise, labels)));
  EXPECT(!torch::equal(images, first(noise, torch::zeros({4}, torch::kLong))));
}

TEST("memory: fills up, then a new image takes the place of any, and never more than there is room for") {
  ImageMemory memory(4, {1, 1, 1}, 2, at::kCPU);
  at::Generator generator = at::detail::createCPUGenerator(1);
  const auto add = [&](double value, int64_t count) {
    const at::Tensor logits = torch::tensor({1.0F, 0.0F}).expand({count, 2});
    memory.add(torch::full({count, 1, 1, 1}, value), logits, generator);
  };
  add(1, 3);
  EXPECT_EQ(memory.size(), 3);
  EXPECT_EQ(memory.fewest(), 0);
  add(2, 3);
  EXPECT_EQ(memory.size(), 4);
  const at::Tensor seen = memory.draw(200, generator).images.flatten();
  // One was appended, two took the place of others.
  const auto twos = std::get<0>(at::_unique(seen));
  EXPECT(twos.eq(2).any().item<bool>());
  add(3, 9);
  EXPECT(memory.draw(50, generator).images.eq(3).all().item<bool>());
}

TEST("diversifier: images of the same shape in [0, 1], in a style that it can learn") {
  const Diversifier diversifier({3, 12, 12}, 7, at::kCPU);
  const at::Tensor images = torch::linspace(0, 1, 2 * 3 * 12 * 12).reshape({2, 3, 12, 12});
  at::Generator generator = at::detail::createCPUGenerator(1);
  const at::Tensor first = diversifier(images, generator);
  EXPECT_EQ(first.sizes(), images.sizes());
  EXPECT(first.min().item<float>() >= 0 && first.max().item<float>() <= 1);
  // Its weights are drawn anew.
  EXPECT(!torch::equal(first, diversifier(images, generator)));
  first.sum().backward();
  // The noise, and scale and shift of the one branch that fits: 5 pixels.
  EXPECT_EQ(diversifier.parameters().size(), size_t{3});
  for (const at::Tensor& parameter : diversifier.parameters()) EXPECT(parameter.grad().defined());
}

TEST("information bound: by hand for a mean of zero and a variance of one") {
  InformationBound bound(2, 1, at::kCPU);
  {
    const torch::NoGradGuard noGrad;
    for (at::Tensor parameter : bound.parameters()) parameter.zero_();
  }
  const at::Tensor features = torch::tensor({{1.0F, 2.0F}, {3.0F, 0.0F}});
  const at::Tensor others = torch::zeros({2, 2});
  EXPECT_NEAR(bound.likelihood(features, others).item<double>(), -(1 + 4 + 9 + 0) / 4.0, 1e-6);
  // Both orders have the same sum of squares.
  EXPECT_NEAR(bound.bound(features, others, torch::tensor({1, 0}, torch::kLong)).item<double>(), 0, 1e-6);
}

TEST("information bound: features that tell each other have one, independent ones hardly any") {
  torch::manual_seed(3);
  const at::Tensor others = torch::randn({256, 4});
  const at::Tensor order = torch::randperm(256);
  const auto fitted = [&](const at::Tensor& features) {
    InformationBound bound(4, 1, at::kCPU);
    OptimizerOptions adam;
    adam.kind = OptimizerKind::kAdam;
    adam.weightDecay = 0;
    Optimizer optimizer(adam, bound.parameters());
    for (int i = 0; i < 300; ++i) {
      (-bound.likelihood(features, others)).backward();
      optimizer.step(2e-2, torch::zeros({1}));
    }
    return bound.bound(features, others, order).item<double>();
  };
  EXPECT(fitted(others * 0.9 + torch::randn({256, 4}) * 0.3) > 3);
  EXPECT(std::abs(fitted(torch::randn({256, 4}))) < 0.5);
}

TEST("diversifier: the discrepancy of classes is zero for the same features, and leaves single samples out") {
  const at::Tensor features = torch::arange(12, torch::kDouble).reshape({6, 2});
  const at::Tensor labels = torch::tensor({0, 0, 1, 1, 1, 2}, torch::kLong);
  EXPECT_NEAR(meaning(features, features, labels, 3).item<double>(), 0, 1e-12);
  EXPECT(meaning(features, features + 100, labels, 3).item<double>() > 0.5);
  const at::Tensor single = torch::zeros({1}, torch::kLong);
  EXPECT_EQ(meaning(features.slice(0, 0, 1), features.slice(0, 1, 2), single, 3).item<double>(), 0.0);
}
