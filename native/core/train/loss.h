#pragma once

#include <torch/types.h>

#include "core/fields.h"

namespace espalier {

// Cross-entropy per sample, [n]. `smoothing` in [0, 1): that share of the target is spread evenly over all
// classes (Szegedy et al. 2016, section 7).
at::Tensor crossEntropy(const at::Tensor& logits, const at::Tensor& labels, double smoothing);

// Kullback-Leibler divergence per sample, [n], from the teacher's softened outputs, times temperature^2 so
// that gradients keep their size (Hinton et al. 2015, section 2).
at::Tensor softTargets(const at::Tensor& logits, const at::Tensor& teacherLogits, double temperature);

enum class LossKind { kAuto, kCrossEntropy, kSoftTargets, kMeanSquaredError };
template <>
struct EnumNames<LossKind> {
  static constexpr EnumName<LossKind> kNames[] = {{LossKind::kAuto, "auto"},
                                                  {LossKind::kCrossEntropy, "crossEntropy"},
                                                  {LossKind::kSoftTargets, "softTargets"},
                                                  {LossKind::kMeanSquaredError, "meanSquaredError"}};
};

// How much a teacher's outputs count beside the labels, and how soft they are.
struct DistillationOptions {
  double weight = 0.9;  // of the teacher's term; the labels' term has the rest
  double temperature = 4;
  template <class V>
  void fields(V&& visit) {
    visit("weight", weight, {.min = 0, .max = 1});
    visit("temperature", temperature, {.min = 0, .exclusiveMin = true});
  }
};

// The loss of a classifier by name; the options of methods have its fields among their own.
struct LossOptions {
  LossKind loss = LossKind::kAuto;  // soft targets where there is a teacher, else cross-entropy
  double labelSmoothing = 0;
  DistillationOptions distillation;
  template <class V>
  void fields(V&& visit) {
    visit("loss", loss);
    visit("labelSmoothing", labelSmoothing, {.min = 0, .max = 1, .exclusiveMax = true});
    visit("distillation", distillation);
  }

  // ERR_INVALID_ARG_TYPE for soft targets without a teacher, or cross-entropy with one.
  void check(bool hasTeacher) const;
  // Per sample, [n]; `teacherLogits` undefined without a teacher. The mean squared error is that of the
  // logits against the teacher's, or against 1 for the label and 0 for the others, over the classes.
  at::Tensor perSample(const at::Tensor& logits, const at::Tensor& labels,
                       const at::Tensor& teacherLogits) const;
};

}  // namespace espalier
