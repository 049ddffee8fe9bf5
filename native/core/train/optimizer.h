#pragma once

#include <optional>
#include <vector>

#include <torch/types.h>

#include "core/fields.h"

namespace espalier {

enum class OptimizerKind { kSgd, kAdam, kAdamW };
template <>
struct EnumNames<OptimizerKind> {
  static constexpr EnumName<OptimizerKind> kNames[] = {
      {OptimizerKind::kSgd, "sgd"}, {OptimizerKind::kAdam, "adam"}, {OptimizerKind::kAdamW, "adamw"}};
};

enum class ScheduleKind { kConstant, kStep, kCosine };
template <>
struct EnumNames<ScheduleKind> {
  static constexpr EnumName<ScheduleKind> kNames[] = {{ScheduleKind::kConstant, "constant"},
                                                      {ScheduleKind::kStep, "step"},
                                                      {ScheduleKind::kCosine, "cosine"}};
};

// The learning rate over a phase of a known length.
struct Schedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  double warmup = 0;                             // fraction of the steps: linear from 0 to the full rate
  std::vector<double> milestones = {0.5, 0.75};  // 'step': fractions of the steps
  double gamma = 0.1;                            // 'step': factor at each milestone
  double final = 0;                              // 'cosine': fraction of the rate at the last step

  // The factor on the learning rate at `step` of `steps`.
  double at(int64_t step, int64_t steps) const;
  template <class V>
  void fields(V&& visit) {
    visit("kind", kind);
    visit("warmup", warmup, {.min = 0, .max = 1});
    visit("milestones", milestones, {.min = 0, .max = 1});
    visit("gamma", gamma, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("final", final, {.min = 0, .max = 1});
  }
};

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kSgd;
  double learningRate = 0.05;
  double momentum = 0.9;  // sgd
  bool nesterov = true;   // sgd
  double beta1 = 0.9;     // adam, adamw
  double beta2 = 0.999;   // adam, adamw
  double epsilon = 1e-8;  // adam, adamw
  double weightDecay = 5e-4;
  std::optional<double> clipNorm;  // largest Euclidean norm of all gradients together
  template <class V>
  void fields(V&& visit) {
    visit("kind", kind);
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("momentum", momentum, {.min = 0, .max = 1, .exclusiveMax = true});
    visit("nesterov", nesterov);
    visit("beta1", beta1, {.min = 0, .max = 1, .exclusiveMax = true});
    visit("beta2", beta2, {.min = 0, .max = 1, .exclusiveMax = true});
    visit("epsilon", epsilon, {.min = 0, .exclusiveMin = true});
    visit("weightDecay", weightDecay, {.min = 0});
    visit("clipNorm", clipNorm, {.min = 0, .exclusiveMin = true});
  }
};

// SGD with momentum and Nesterov, Adam and AdamW (torch.optim's update rules) in one pass over memory, masks
// included. A parameter in half precision is trained through a float32 master. Masters and moments are part
// of a state; the parameters are not: they belong to the model that is.
class Optimizer {
 public:
  Optimizer() = default;
  // `masks[i]`, where defined, holds weight i and its moments at exactly zero where it is false, whatever its
  // gradient is.
  Optimizer(OptimizerOptions options, std::vector<at::Tensor> parameters, std::vector<at::Tensor> masks = {});

  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  const std::vector<at::Tensor>& masks() const { return masks_; }  // empty, or one a parameter
  const OptimizerOptions& options() const { return options_; }
  // One update from the parameters' gradients, which are dropped. Where the device flag `skip` (float, one
  // element) is 1 nothing is updated.
  void step(double learningRate, const at::Tensor& skip);

  template <class V>
  void fields(V&& visit) {
    visit("masters", masters_);
    visit("first", first_);
    visit("second", second_);
    visit("steps", steps_);
    visit("updates", updates_);
  }

 private:
  struct Group;
  void update(const Group& group, double learningRate, const at::Tensor& skip) const;

  OptimizerOptions options_;
  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> masks_;
  std::vector<at::Tensor> masters_;  // as many as half-precision parameters, in their order
  std::vector<at::Tensor> first_;    // momentum, or first moments
  std::vector<at::Tensor> second_;   // second moments
  std::vector<at::Tensor> steps_;    // of Adam, on the device: a skipped step does not count
  int64_t updates_ = 0;
};

}  // namespace espalier
