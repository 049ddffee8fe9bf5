#include "core/train/loss.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace espalier {

at::Tensor crossEntropy(const at::Tensor& logits, const at::Tensor& labels, double smoothing) {
  return at::cross_entropy_loss(logits, labels, {}, at::Reduction::None, /*ignore_index=*/-100, smoothing);
}

at::Tensor softTargets(const at::Tensor& logits, const at::Tensor& teacherLogits, double temperature) {
  const at::Tensor student = at::log_softmax(logits / temperature, 1);
  const at::Tensor teacher = at::log_softmax(teacherLogits.detach() / temperature, 1);
  return at::kl_div(student, teacher, at::Reduction::None, /*log_target=*/true).sum(1) *
         (temperature * temperature);
}

}  // namespace espalier
