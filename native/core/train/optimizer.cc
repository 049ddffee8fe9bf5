#include "core/train/optimizer.h"

#include <cmath>
#include <numbers>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"

namespace espalier {

double Schedule::at(int64_t step, int64_t steps) const {
  const double warm = std::round(warmup * static_cast<double>(steps));
  const auto now = static_cast<double>(step);
  if (now < warm) return (now + 1) / warm;
  switch (kind) {
    case ScheduleKind::kConstant:
      return 1;
    case ScheduleKind::kStep: {
      double factor = 1;
      for (const double milestone : milestones) {
        if (now >= milestone * static_cast<double>(steps)) factor *= gamma;
      }
      return factor;
    }
    case ScheduleKind::kCosine: {
      const double length = std::max(1.0, static_cast<double>(steps) - warm);
      return final + (1 - final) * 0.5 * (1 + std::cos(std::numbers::pi * (now - warm) / length));
    }
  }
  return 1;
}

Optimizer::Optimizer(OptimizerOptions options, std::vector<at::Tensor> parameters,
                     std::vector<at::Tensor> masks)
    : options_(options), parameters_(std::move(parameters)), masks_(std::move(masks)) {
  masks_.resize(parameters_.size());
  const bool adam = options_.kind != OptimizerKind::kSgd;
  if (options_.nesterov && options_.momentum == 0) options_.nesterov = false;
  if (!adam && options_.momentum == 0) return;
  for (const at::Tensor& parameter : parameters_) {
    first_.push_back(torch::zeros_like(parameter.detach()));
    if (!adam) continue;
    second_.push_back(torch::zeros_like(parameter.detach()));
    steps_.push_back(torch::zeros({}, parameter.options().dtype(torch::kFloat32).requires_grad(false)));
  }
}

namespace {
void clip(const std::vector<at::Tensor>& gradients, double limit) {
  const at::Tensor norm = torch::stack(at::_foreach_norm(gradients, 2)).norm();
  // As torch.nn.utils.clip_grad_norm_: never scales up.
  const at::Tensor scale = (limit / (norm + 1e-6)).clamp_max(1.0);
  for (const at::Tensor& gradient : gradients) gradient.mul_(scale);
}
}  // namespace

void Optimizer::step(double learningRate, const at::Tensor& skip) {
  const torch::NoGradGuard noGrad;
  std::vector<at::Tensor> used;
  std::vector<at::Tensor> gradients;
  std::vector<at::Tensor> first;
  std::vector<at::Tensor> second;
  std::vector<at::Tensor> steps;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor gradient = parameters_[i].grad();
    if (!gradient.defined()) continue;
    // The fused kernels walk the storages side by side.
    if (gradient.strides() != parameters_[i].strides()) {
      gradient = torch::empty_like(parameters_[i].detach()).copy_(gradient);
    }
    if (masks_[i].defined()) gradient.mul_(masks_[i]);
    used.push_back(parameters_[i]);
    gradients.push_back(gradient);
    if (!first_.empty()) first.push_back(first_[i]);
    if (!second_.empty()) {
      second.push_back(second_[i]);
      steps.push_back(steps_[i]);
    }
    parameters_[i].mutable_grad() = at::Tensor();
  }
  if (used.empty()) return;
  if (options_.clipNorm) clip(gradients, *options_.clipNorm);
  if (options_.kind == OptimizerKind::kSgd) {
    // A zero buffer makes the general step equal to torch's first step (dampening is 0).
    at::_fused_sgd_(used, gradients, first, options_.weightDecay, options_.momentum, learningRate,
                    /*dampening=*/0.0, options_.nesterov, /*maximize=*/false, /*is_first_step=*/false, {},
                    skip);
  } else {
    at::_foreach_add_(steps, (1 - skip).reshape({}));
    if (options_.kind == OptimizerKind::kAdam) {
      at::_fused_adam_(used, gradients, first, second, {}, steps, learningRate, options_.beta1,
                       options_.beta2, options_.weightDecay, options_.epsilon, /*amsgrad=*/false,
                       /*maximize=*/false, {}, skip);
    } else {
      at::_fused_adamw_(used, gradients, first, second, {}, steps, learningRate, options_.beta1,
                        options_.beta2, options_.weightDecay, options_.epsilon, /*amsgrad=*/false,
                        /*maximize=*/false, {}, skip);
    }
  }
  ++updates_;
}

}  // namespace espalier
