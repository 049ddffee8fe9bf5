#include "core/metrics.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/train/loss.h"

using namespace espalier;

TEST("metrics: Wilson intervals of known cases") {
  // Newcombe 1998 (Statistics in Medicine 17), table I, method 3.
  struct Known {
    int64_t hits;
    int64_t trials;
    double low;
    double high;
  };
  for (const Known& known : {Known{81, 263, 0.2553, 0.3662}, Known{15, 148, 0.0624, 0.1605},
                             Known{0, 20, 0.0, 0.1611}, Known{1, 29, 0.0061, 0.1718}}) {
    const auto found = wilsonInterval(known.hits, known.trials);
    EXPECT_NEAR(found[0], known.low, 5e-5);
    EXPECT_NEAR(found[1], known.high, 5e-5);
  }
  EXPECT(wilsonInterval(0, 0) == (std::vector<double>{0, 1}));
}

TEST("metrics: calibration error by hand") {
  // Two samples at 0.9 (one right), one at 0.3 (right): (2/3)|0.5 - 0.9| + (1/3)|1 - 0.3|
  const double error =
      expectedCalibrationError(torch::tensor({0.9, 0.9, 0.3}, at::kDouble), torch::tensor({1, 0, 1}));
  EXPECT_NEAR(error, 2.0 / 3 * 0.4 + 0.7 / 3, 1e-12);
  EXPECT_NEAR(expectedCalibrationError(torch::ones({4}), torch::ones({4})), 0, 1e-12);
}

TEST("loss: smoothed cross-entropy and soft targets by their definitions, with gradients by differences") {
  const at::Tensor logits = torch::randn({5, 4}, at::kDouble).requires_grad_();
  const at::Tensor teacher = torch::randn({5, 4}, at::kDouble);
  const at::Tensor labels = torch::tensor({0, 1, 2, 3, 1});
  const double smoothing = 0.2;
  const auto targets = (1 - smoothing) * torch::one_hot(labels, 4).to(at::kDouble) + smoothing / 4;
  const at::Tensor expected = -(targets * at::log_softmax(logits, 1)).sum(1);
  EXPECT_NEAR((crossEntropy(logits, labels, smoothing) - expected).abs().max().item<double>(), 0, 1e-12);

  const double t = 3;
  const at::Tensor p = at::softmax(teacher / t, 1);
  const at::Tensor kl = (p * (p.log() - at::log_softmax(logits / t, 1))).sum(1) * t * t;
  EXPECT_NEAR((softTargets(logits, teacher, t) - kl).abs().max().item<double>(), 0, 1e-12);

  softTargets(logits, teacher, t).sum().backward();
  const double step = 1e-6;
  for (int64_t i = 0; i < 5; ++i) {
    const at::Tensor moved = logits.detach().clone();
    moved[i][i % 4] += step;
    const double up = softTargets(moved, teacher, t).sum().item<double>();
    moved[i][i % 4] -= 2 * step;
    const double down = softTargets(moved, teacher, t).sum().item<double>();
    EXPECT_NEAR(logits.grad()[i][i % 4].item<double>(), (up - down) / (2 * step), 1e-7);
  }
}
