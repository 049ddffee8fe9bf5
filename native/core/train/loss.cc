#include "core/train/loss.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"

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

void LossOptions::check(bool hasTeacher) const {
  if (loss == LossKind::kSoftTargets && !hasTeacher)
    fail(ErrorCode::kInvalidArgType, "expected a Model for teacher with loss 'softTargets', received none");
  if (loss == LossKind::kCrossEntropy && hasTeacher) {
    fail(
        ErrorCode::kInvalidArgType,
        "expected no teacher with loss 'crossEntropy', which reads labels only: use 'softTargets' or 'auto'");
  }
}

at::Tensor LossOptions::perSample(const at::Tensor& logits, const at::Tensor& labels,
                                  const at::Tensor& teacherLogits) const {
  const bool hasTeacher = teacherLogits.defined();
  if (loss == LossKind::kMeanSquaredError) {
    const at::Tensor target =
        hasTeacher ? teacherLogits.detach() : at::one_hot(labels, logits.size(1)).to(logits.scalar_type());
    return (logits - target).square().mean(1);
  }
  at::Tensor ofLabels = crossEntropy(logits, labels, labelSmoothing);
  if (!hasTeacher) return ofLabels;
  return (1 - distillation.weight) * ofLabels +
         distillation.weight * softTargets(logits, teacherLogits, distillation.temperature);
}

}  // namespace espalier
