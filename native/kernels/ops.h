#pragma once

#include <optional>
#include <vector>

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>

// The operators as C++ functions, dispatched by device: what core and methods call. schema.cc declares them,
// operators.h says what they return. Wrong shapes, types and memory layouts throw c10::Error.
#define ESPALIER_EXPORT __attribute__((visibility("default")))

namespace espalier::kernels {

using Tensors = std::vector<at::Tensor>;
using Flag = std::optional<at::Tensor>;
using MaskList = c10::List<std::optional<at::Tensor>>;

// An undefined tensor is no mask.
ESPALIER_EXPORT MaskList maskList(const Tensors& masks);

struct SgdOptions {
  double learningRate = 0;
  double momentum = 0;
  double weightDecay = 0;
  bool nesterov = false;
};
struct AdamOptions {
  double learningRate = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weightDecay = 0;
  bool decoupled = false;
};

ESPALIER_EXPORT void maskedSgd(const Tensors& weights, const Tensors& gradients, const Tensors& momenta,
                               const MaskList& masks, const Tensors& effective, const SgdOptions& options,
                               const Flag& skip = {});
ESPALIER_EXPORT void maskedAdam(const Tensors& weights, const Tensors& gradients, const Tensors& firstMoments,
                                const Tensors& secondMoments, const Tensors& steps, const MaskList& masks,
                                const Tensors& effective, const AdamOptions& options, const Flag& skip = {});

// One threshold a layer: all float64 vectors, one element a tensor.
struct LtpThresholds {
  at::Tensor thresholds;    // on the squared weight
  at::Tensor previous;      // before the last step
  at::Tensor temperatures;  // constant
  at::Tensor rates;         // of the threshold's step
};
struct LtpOptions {
  double cost = 0;  // lambda: loss per kept weight
  SgdOptions weights;
  bool exact = false;
  bool normalised = true;
};
ESPALIER_EXPORT at::Tensor ltpGate(const Tensors& weights, const MaskList& masks,
                                   const LtpThresholds& thresholds, const std::vector<double>& leastKept,
                                   const Tensors& effective, bool counting = true);
ESPALIER_EXPORT at::Tensor ltpStep(const Tensors& weights, const Tensors& gradients, const Tensors& momenta,
                                   const MaskList& masks, const LtpThresholds& thresholds,
                                   const LtpOptions& options, const Flag& skip = {}, const Flag& hold = {});

// Weights under scores: effective = weight where score > cut, else 0; [tensors, 1]: how many are kept.
ESPALIER_EXPORT at::Tensor scoreApply(const Tensors& weights, const Tensors& scores, const Tensors& effective,
                                      double cut);
// Adam on the scores from the gradients of the effective weights; no weight decay.
ESPALIER_EXPORT void scoreAdam(const Tensors& scores, const Tensors& weights, const Tensors& gradients,
                               const Tensors& firstMoments, const Tensors& secondMoments,
                               const Tensors& steps, const AdamOptions& options, const Flag& skip = {});

// ADMM for sparse weights W: Z is their sparse image, U the scaled dual.
// gradients += rho (W - Z + U); [tensors]: rho / 2 * ||W - Z + U||^2.
ESPALIER_EXPORT at::Tensor admmPenalty(const Tensors& gradients, const Tensors& weights,
                                       const Tensors& sparse, const Tensors& duals, const MaskList& masks,
                                       double rho);
// Z = soft threshold of W + U; [tensors]: its entries that are not zero.
ESPALIER_EXPORT at::Tensor admmShrink(const Tensors& sparse, const Tensors& weights, const Tensors& duals,
                                      const MaskList& masks, double delta);
// Z = W + U on its `kept` largest entries; their masks.
ESPALIER_EXPORT Tensors admmKeep(const Tensors& sparse, const Tensors& weights, const Tensors& duals,
                                 const MaskList& masks, int64_t kept);
// U += W - Z; [tensors, 2]: ||W - Z||^2 and ||W||^2.
ESPALIER_EXPORT at::Tensor admmDual(const Tensors& duals, const Tensors& weights, const Tensors& sparse);

// Boolean masks, true where kept: all but the `cut` of least magnitude.
ESPALIER_EXPORT Tensors selectLowest(const Tensors& tensors, int64_t cut);
ESPALIER_EXPORT Tensors selectLowestEach(const Tensors& tensors, const std::vector<int64_t>& cuts);
ESPALIER_EXPORT Tensors selectLowestBetween(const Tensors& tensors, int64_t cut,
                                            const std::vector<int64_t>& least,
                                            const std::vector<int64_t>& most);
ESPALIER_EXPORT Tensors selectNOfM(const Tensors& tensors, int64_t n, int64_t m);

// [tensors, 5]: zeros, NaNs, infinities, sum |x| and sum x^2 of the finite ones.
ESPALIER_EXPORT at::Tensor statistics(const Tensors& tensors);
ESPALIER_EXPORT void raiseIfNotFinite(const at::Tensor& flag, const Tensors& tensors);

// "avx512", "avx2" or "baseline".
ESPALIER_EXPORT std::string instructionSet();
// Whether the library of the CUDA kernels was built and loaded.
ESPALIER_EXPORT bool hasCuda();

}  // namespace espalier::kernels
