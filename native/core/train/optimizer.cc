#include "core/train/optimizer.h"

#include <cmath>
#include <map>
#include <numbers>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "kernels/ops.h"

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

namespace {

bool isHalf(const at::Tensor& parameter) {
  return parameter.scalar_type() == at::kHalf || parameter.scalar_type() == at::kBFloat16;
}

void clip(const std::vector<at::Tensor>& gradients, double limit) {
  const at::Tensor norm = torch::stack(at::_foreach_norm(gradients, 2)).norm();
  // As torch.nn.utils.clip_grad_norm_: never scales up.
  const at::Tensor scale = (limit / (norm + 1e-6)).clamp_max(1.0);
  for (const at::Tensor& gradient : gradients) gradient.mul_(scale);
}

}  // namespace

// Parameters of one type: what one call of a kernel takes.
struct Optimizer::Group {
  kernels::Tensors weights;
  kernels::Tensors gradients;
  kernels::Tensors first;
  kernels::Tensors second;
  kernels::Tensors steps;
  kernels::Tensors masks;
  kernels::Tensors effective;  // of half precision only
};

Optimizer::Optimizer(OptimizerOptions options, std::vector<at::Tensor> parameters,
                     std::vector<at::Tensor> masks)
    : options_(options), parameters_(std::move(parameters)), masks_(std::move(masks)) {
  masks_.resize(parameters_.size());
  const bool adam = options_.kind != OptimizerKind::kSgd;
  if (options_.nesterov && options_.momentum == 0) options_.nesterov = false;
  for (const at::Tensor& parameter : parameters_) {
    const at::Tensor master = isHalf(parameter) ? parameter.detach().to(at::kFloat) : parameter.detach();
    if (isHalf(parameter)) masters_.push_back(master);
    if (adam || options_.momentum != 0) first_.push_back(torch::zeros_like(master));
    if (!adam) continue;
    second_.push_back(torch::zeros_like(master));
    steps_.push_back(torch::zeros({}, master.options().dtype(at::kFloat)));
  }
}

void Optimizer::step(double learningRate, const at::Tensor& skip) {
  const torch::NoGradGuard noGrad;
  std::map<at::ScalarType, Group> groups;
  std::vector<at::Tensor> gradients;
  size_t halves = 0;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& parameter = parameters_[i];
    const at::Tensor weight = isHalf(parameter) ? masters_[halves++] : parameter.detach();
    at::Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    // The kernels walk the storages side by side.
    if (gradient.strides() != weight.strides())
      gradient = torch::empty_like(parameter.detach()).copy_(gradient);
    parameters_[i].mutable_grad() = at::Tensor();
    at::Tensor mask = masks_[i];
    if (mask.defined() && mask.strides() != weight.strides()) {
      mask = torch::empty_like(weight, weight.options().dtype(at::kBool)).copy_(mask);
      masks_[i] = mask;
    }
    // The norm that is clipped is that of what is trained.
    if (options_.clipNorm && mask.defined()) gradient.masked_fill_(mask.logical_not(), 0);
    Group& group = groups[parameter.scalar_type()];
    group.weights.push_back(weight);
    group.gradients.push_back(gradient);
    group.masks.push_back(mask);
    if (isHalf(parameter)) group.effective.push_back(parameter.detach());
    if (!first_.empty()) group.first.push_back(first_[i]);
    if (!second_.empty()) {
      group.second.push_back(second_[i]);
      group.steps.push_back(steps_[i]);
    }
    gradients.push_back(gradient);
  }
  if (gradients.empty()) return;
  if (options_.clipNorm) clip(gradients, *options_.clipNorm);
  for (const auto& [type, group] : groups) update(group, learningRate, skip);
  ++updates_;
}

void Optimizer::update(const Group& group, double learningRate, const at::Tensor& skip) const {
  const kernels::MaskList masks = kernels::maskList(group.masks);
  if (options_.kind == OptimizerKind::kSgd) {
    kernels::maskedSgd(group.weights, group.gradients, group.first, masks, group.effective,
                       {learningRate, options_.momentum, options_.weightDecay, options_.nesterov}, skip);
    return;
  }
  kernels::maskedAdam(group.weights, group.gradients, group.first, group.second, group.steps, masks,
                      group.effective,
                      {learningRate, options_.beta1, options_.beta2, options_.epsilon, options_.weightDecay,
                       options_.kind == OptimizerKind::kAdamW},
                      skip);
}

}  // namespace espalier
