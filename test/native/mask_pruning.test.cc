#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "methods/authorize/mask_pruning_state.h"

using namespace espalier;
using namespace espalier::mask_pruning;

namespace {

const at::Tensor& skipNothing() {
  static const at::Tensor flag = torch::zeros({1});
  return flag;
}

// Two weights of a "model", and the mask over them.
struct Toy {
  std::vector<at::Tensor> weights = {torch::tensor({{0.5, -2.0}, {0.0, 1.0}}, torch::kDouble),
                                     torch::tensor({3.0, -1.0, 4.0}, torch::kDouble)};
  LearnedMask mask;
  explicit Toy(LearnedMask::Options options = {}) {
    mask = LearnedMask({{"a.weight", weights[0], 0}, {"b.weight", weights[1], 0}}, options);
  }
  void step(const std::vector<at::Tensor>& gradients, double rate) {
    for (size_t i = 0; i < weights.size(); ++i) {
      weights[i].requires_grad_();
      weights[i].mutable_grad() = gradients[i];
    }
    mask.step(rate, skipNothing());
    for (at::Tensor& weight : weights) weight.requires_grad_(false);
  }
};

}  // namespace

TEST("learned mask: Adam's first step moves a score by the rate against the sign of gradient times weight") {
  Toy toy;
  // Products with the weights: + + 0 -, and - 0 +.
  toy.step({torch::tensor({{1.0, -1.0}, {5.0, -2.0}}, torch::kDouble),
            torch::tensor({-1.0, 0.0, 1.0}, torch::kDouble)},
           0.006);
  EXPECT(torch::equal(toy.weights[0], torch::tensor({{0.0, 0.0}, {0.0, 1.0}}, torch::kDouble)));
  EXPECT(torch::equal(toy.weights[1], torch::tensor({3.0, -1.0, 0.0}, torch::kDouble)));
  EXPECT_EQ(toy.mask.weights(), 7);
  EXPECT_EQ(toy.mask.kept(), 4);
  EXPECT(!toy.weights[0].grad().defined());
}

TEST("learned mask: a weight that was zero before is not pruned, and the mask says so") {
  Toy toy;
  toy.step({torch::tensor({{1.0, 0.0}, {1.0, 0.0}}, torch::kDouble), torch::zeros({3}, torch::kDouble)},
           0.006);
  const std::shared_ptr<Mask> mask = toy.mask.maskOf("digest");
  EXPECT_EQ(mask->dense(), std::string("digest"));
  EXPECT_EQ(mask->entries().size(), size_t{2});
  EXPECT(torch::equal(mask->entries()[0].kept, torch::tensor({{false, true}, {true, true}}, torch::kBool)));
  EXPECT_EQ(mask->kept(), 6);
}

TEST("learned mask: scores stay where they can come back from") {
  Toy toy;
  const at::Tensor gradient = torch::ones({3}, torch::kDouble);
  for (int i = 0; i < 50; ++i) toy.step({torch::zeros({2, 2}, torch::kDouble), gradient}, 0.01);
  EXPECT_EQ(toy.weights[1][0].item<double>(), 0.0);
  // From the lowest score it takes no more than a few steps the other way, moments and all.
  int steps = 0;
  while (toy.weights[1][0].item<double>() == 0 && steps < 100) {
    toy.step({torch::zeros({2, 2}, torch::kDouble), -10 * gradient}, 0.01);
    ++steps;
  }
  EXPECT(steps > 1 && steps < 12);
}

TEST("learned mask: what is too much comes back, the highest scores first") {
  Toy toy;
  // The second score falls later than the others, which fall on.
  const at::Tensor none = torch::zeros({2, 2}, torch::kDouble);
  toy.step({none, torch::tensor({1.0, 0.0, 1.0}, torch::kDouble)}, 0.006);
  toy.step({none, torch::tensor({1.0, -1.0, 1.0}, torch::kDouble)}, 0.008);
  EXPECT_EQ(toy.mask.kept(), 4);
  toy.mask.limit(2.0 / 7);
  EXPECT_EQ(toy.mask.kept(), 5);
  EXPECT(torch::equal(toy.weights[1], torch::tensor({0.0, -1.0, 0.0}, torch::kDouble)));
  toy.mask.limit(0.5);
  EXPECT_EQ(toy.mask.kept(), 5);
}

TEST("mask pruning: the target's term counts up to its cap") {
  Options options;
  options.lambda = 0.5;
  options.beta = 1;
  options.capOver = CapOver::kBatch;
  const auto leaf = [](std::vector<double> values) {
    return torch::tensor(values, torch::kDouble).requires_grad_();
  };
  const at::Tensor source = leaf({1, 3});
  const at::Tensor below = leaf({1, 2});
  const at::Tensor loss = objective(source, below, options);
  EXPECT_NEAR(loss.item<double>(), 2 - 0.75, 1e-15);
  loss.backward();
  EXPECT_NEAR(below.grad()[0].item<double>(), -0.25, 1e-15);
  const at::Tensor above = leaf({10, 2});
  const at::Tensor capped = objective(leaf({1, 3}), above, options);
  EXPECT_NEAR(capped.item<double>(), 2 - 1, 1e-15);
  capped.backward();
  EXPECT_EQ(above.grad().abs().sum().item<double>(), 0.0);
  options.capOver = CapOver::kSample;
  EXPECT_NEAR(objective(leaf({1, 3}), leaf({10, 1}), options).item<double>(), 2 - (1 + 0.5) / 2, 1e-15);
  EXPECT_NEAR(objective(leaf({1, 3}), {}, options).item<double>(), 2, 1e-15);
}
