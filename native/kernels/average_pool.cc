#include "kernels/average_pool.h"

#include <torch/library.h>

#include "kernels/images.h"

namespace espalier::kernels {

namespace {

void checkSize(const char* op, const at::Tensor& images, int64_t height, int64_t width) {
  TORCH_CHECK_VALUE(height > 0 && width > 0 && images.numel() > 0, op,
                    ": expected images and a size above zero, found ", images.sizes(), " and ", height, " x ",
                    width);
}

}  // namespace

bool isAveragePoolable(const at::Tensor& input, int64_t height, int64_t width) {
  return areImages(input) && input.numel() > 0 && height > 0 && width > 0;
}

at::Tensor averagePool(const at::Tensor& input, int64_t height, int64_t width) {
  constexpr const char* kOp = "average_pool";
  checkImages(kOp, "input", input);
  checkSize(kOp, input, height, width);
  at::Tensor output = emptyImages(input, height, width);
  const cpu::Image from = imageOf(input);
  const cpu::Image to = imageOf(output);
  withElement(input, [&]<class Element>() {
    const auto* x = dataOf<Element>(input);
    auto* y = mutableDataOf<Element>(output);
    const auto& passes = cpu::pixelPasses<Element>();
    forEachSample(input, [&](int64_t sample) {
      passes.average(x + sample * sizeOf(from), from, to, y + sample * sizeOf(to));
    });
  });
  return output;
}

at::Tensor averagePoolBackward(const at::Tensor& gradient, int64_t height, int64_t width) {
  constexpr const char* kOp = "average_pool_backward";
  checkImages(kOp, "gradient", gradient);
  checkSize(kOp, gradient, height, width);
  at::Tensor dInput = emptyImages(gradient, height, width, at::kFloat);
  const cpu::Image from = imageOf(dInput);
  const cpu::Image to = imageOf(gradient);
  withElement(gradient, [&]<class Element>() {
    const auto* dy = dataOf<Element>(gradient);
    auto* dx = mutableDataOf<float>(dInput);
    const auto& passes = cpu::pixelPasses<Element>();
    forEachSample(gradient, [&](int64_t sample) {
      passes.averageGradient(dy + sample * sizeOf(to), from, to, dx + sample * sizeOf(from));
    });
  });
  return dInput.to(gradient.scalar_type());
}

TORCH_LIBRARY_IMPL(espalier, CPU, m) {
  m.impl("average_pool", TORCH_FN(averagePool));
  m.impl("average_pool_backward", TORCH_FN(averagePoolBackward));
}

}  // namespace espalier::kernels
