#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/ops.h"

// The average over windows that cover an image evenly, as adaptive_avg_pool2d has them: window i of n goes
// from pixel floor(i H / n) to ceil((i + 1) H / n). Channels-last float32 images [N, C, H, W] on the CPU.
namespace espalier::kernels {

// Whether images can be given.
ESPALIER_EXPORT bool isAveragePoolable(const at::Tensor& input, int64_t height, int64_t width);

// [N, C, height, width].
ESPALIER_EXPORT at::Tensor averagePool(const at::Tensor& input, int64_t height, int64_t width);
// The gradient of images of that height and width, from that of their averages.
ESPALIER_EXPORT at::Tensor averagePoolBackward(const at::Tensor& gradient, int64_t height, int64_t width);

}  // namespace espalier::kernels
