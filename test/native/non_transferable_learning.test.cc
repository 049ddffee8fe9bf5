#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "methods/authorize/non_transferable_learning_state.h"

using namespace espalier;
using namespace espalier::non_transferable_learning;

namespace {

at::Tensor leaf(double value) { return torch::full({1}, value, torch::kDouble).requires_grad_(); }

Options published() {
  Options options;
  options.alpha = 0.1;
  options.capTarget = 1;
  options.capOver = CapOver::kBatch;
  return options;
}

struct Gradients {
  double source, target, discrepancy;
};

Gradients gradientsOf(const Terms& terms, int64_t classes, const Options& options) {
  objective(terms, classes, options).backward();
  const auto of = [](const at::Tensor& tensor) {
    return tensor.grad().defined() ? tensor.grad().item<double>() : 0;
  };
  return {of(terms.source), of(terms.target), of(terms.discrepancy)};
}

}  // namespace

TEST("non-transferable learning: the product of target loss and discrepancy, by hand") {
  Options options = published();
  options.beta.value = 0.5;
  const Terms terms{leaf(0.7), leaf(3), leaf(1.2)};
  EXPECT_NEAR(objective(terms, 10, options).item<double>(), 0.7 - 0.3 * 0.6, 1e-15);
  const Gradients gradients = gradientsOf(terms, 10, options);
  EXPECT_NEAR(gradients.source, 1, 1e-15);
  EXPECT_NEAR(gradients.target, -0.1 * 0.6, 1e-15);
  EXPECT_NEAR(gradients.discrepancy, -0.3 * 0.5, 1e-15);
}

TEST("non-transferable learning: a factor at its cap is a constant that weighs the other") {
  const Options options = published();
  const Terms terms{leaf(0.7), leaf(30), leaf(0.4)};
  EXPECT_NEAR(objective(terms, 10, options).item<double>(), 0.7 - 1 * 0.4, 1e-15);
  const Gradients gradients = gradientsOf(terms, 10, options);
  EXPECT_EQ(gradients.target, 0.0);
  EXPECT_NEAR(gradients.discrepancy, -1, 1e-15);
}

TEST("non-transferable learning: 'elementwise' divides the losses by the classes, so the cap is later") {
  Options options = published();
  options.reduction = Reduction::kElementwise;
  const Terms terms{leaf(0.7), leaf(30), leaf(0.4)};
  EXPECT_NEAR(objective(terms, 10, options).item<double>(), 0.07 - 0.3 * 0.4, 1e-15);
  EXPECT_NEAR(gradientsOf(terms, 10, options).target, -0.01 * 0.4, 1e-15);
}

TEST("non-transferable learning: without the discrepancy the target's loss counts alone") {
  const Options options = published();
  const Terms terms{leaf(0.7), leaf(3), {}};
  EXPECT_NEAR(objective(terms, 10, options).item<double>(), 0.7 - 0.3, 1e-15);
}

TEST("non-transferable learning: a cap over samples ends the push of those beyond it alone") {
  Options options = published();
  const at::Tensor target = torch::tensor({40.0, 2.0}, torch::kDouble).requires_grad_();
  const Terms terms{leaf(0.7), target, {}};
  EXPECT_NEAR(objective(terms, 10, options).item<double>(), 0.7 - 1, 1e-15);
  options.capOver = CapOver::kSample;
  const at::Tensor loss = objective(terms, 10, options);
  EXPECT_NEAR(loss.item<double>(), 0.7 - (1 + 0.2) / 2, 1e-15);
  loss.backward();
  EXPECT_EQ(target.grad()[0].item<double>(), 0.0);
  EXPECT_NEAR(target.grad()[1].item<double>(), -0.05, 1e-15);
}
