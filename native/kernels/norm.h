#pragma once

#include <array>
#include <tuple>

#include <ATen/core/Tensor.h>

#include "kernels/ops.h"

// Batch norm, the relu behind it, and with `pooled` the maximum of 2 x 2 windows behind that; or batch norm,
// a sum and the relu behind that; over channels-last images [N, C, H, W] in float32 or bfloat16 on the CPU;
// weights, statistics and their gradients are float32.
namespace espalier::kernels {

using OptionalTensor = std::optional<at::Tensor>;

// Whether images can be given: more than one value a channel, with `pooled` an even height and width.
ESPALIER_EXPORT bool isNormFusable(const at::Tensor& input, bool pooled);

// The output; [2, C]: means and 1 / sqrt(variance + epsilon); where each window's maximum stands, int32 of
// the output's shape, row by row, 4 where nothing is above zero; without `pooled` empty. In training running
// statistics follow as batch_norm's; else they are the statistics, and have to be there.
ESPALIER_EXPORT std::tuple<at::Tensor, at::Tensor, at::Tensor> batchNormReluForward(
    const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
    const OptionalTensor& runningMean, const OptionalTensor& runningVariance, bool training, double momentum,
    double epsilon, bool pooled);
// Gradients of input, weight and bias; empty for those that are not there or not wanted.
ESPALIER_EXPORT std::tuple<at::Tensor, at::Tensor, at::Tensor> batchNormReluBackward(
    const at::Tensor& gradient, const at::Tensor& input, const OptionalTensor& weight,
    const OptionalTensor& bias, const at::Tensor& statistics, const at::Tensor& chosen, bool training,
    std::array<bool, 3> wanted);
// relu of the norm and `other`, images of the input's shape, type and layout: what ends a residual block. The
// output, and the statistics as above.
ESPALIER_EXPORT std::tuple<at::Tensor, at::Tensor> batchNormAddReluForward(
    const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
    const at::Tensor& other, const OptionalTensor& runningMean, const OptionalTensor& runningVariance,
    bool training, double momentum, double epsilon);
// Gradients of input, weight, bias and `other`; `output` is the forward's. The last is always there, the
// first three are empty where they are not wanted.
ESPALIER_EXPORT std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> batchNormAddReluBackward(
    const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& output,
    const OptionalTensor& weight, const at::Tensor& statistics, bool training, std::array<bool, 3> wanted);
// relu and pooling alone, without a gradient.
ESPALIER_EXPORT at::Tensor reluPool(const at::Tensor& input);

}  // namespace espalier::kernels
