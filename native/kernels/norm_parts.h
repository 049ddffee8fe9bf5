#pragma once

#include <vector>

#include "kernels/images.h"
#include "kernels/norm.h"

// What the operators with a batch norm in them share.
namespace espalier::kernels {

inline at::Tensor orUndefined(const OptionalTensor& tensor) { return tensor.value_or(at::Tensor()); }

void checkNormed(const char* op, const at::Tensor& images);
void checkPerChannel(const char* op, const char* name, const OptionalTensor& values, int64_t channels);
void checkStatistics(const char* op, const at::Tensor& statistics, int64_t channels);
// A gradient for images of `type` and `shape`.
void checkGradient(const char* op, const at::Tensor& gradient, at::ScalarType type, at::IntArrayRef shape);

// One row a sample, then added up in their order: the same for any number of threads.
template <class Add>
std::vector<double> addUp(const at::Tensor& x, int64_t values, const Add& add) {
  std::vector<double> rows(static_cast<size_t>(x.size(0) * values));
  forEachSample(x, [&](int64_t sample) { add(sample, rows.data() + sample * values); });
  std::vector<double> sums(static_cast<size_t>(values));
  for (size_t i = 0; i < rows.size(); ++i) sums[i % sums.size()] += rows[i];
  return sums;
}

// float32 [2, C]: means, and 1 / sqrt(variance + epsilon). In training they are the images' own, which the
// running ones follow; else they are the running ones, which have to be there.
at::Tensor normStatistics(const char* op, const at::Tensor& images, const OptionalTensor& runningMean,
                          const OptionalTensor& runningVariance, bool training, double momentum,
                          double epsilon);

// Scales, then shifts: the norm is scale x + shift.
std::vector<float> affinesOf(const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& statistics);

struct NormGradients {
  at::Tensor weight;  // empty where it is not wanted, and so is the bias
  at::Tensor bias;
  std::vector<float> slopes;  // of cpu::InputGradients, and so are the offsets
  std::vector<float> offsets;
};
// From the sums over each channel of `images` of dy, then of dy (x - mean), where y is what the norm returns.
NormGradients gradientsFrom(const std::vector<double>& sums, const at::Tensor& images,
                            const at::Tensor& statistics, const float* scale, bool training, bool wantsWeight,
                            bool wantsBias);

}  // namespace espalier::kernels
