#pragma once

#include <functional>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "kernels/cpu/pixels.h"

// What the operators over float32 and bfloat16 images [N, C, H, W] on the CPU share, with the channels side
// by side.
namespace espalier::kernels {

inline bool isFloat(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat;
}

inline bool hasImageType(const at::Tensor& tensor) {
  return tensor.is_cpu() && (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
}

inline bool areImages(const at::Tensor& tensor) {
  return hasImageType(tensor) && tensor.dim() == 4 && tensor.is_contiguous(at::MemoryFormat::ChannelsLast);
}

inline void checkImages(const char* op, const char* name, const at::Tensor& images) {
  TORCH_CHECK_VALUE(areImages(images), op,
                    ": expected channels-last float32 or bfloat16 images [N, C, H, W] on the CPU for ", name,
                    ", found ", images.scalar_type(), " ", images.sizes(), " with strides ", images.strides(),
                    " on ", images.device());
}

inline cpu::Image imageOf(const at::Tensor& x) { return {x.size(2), x.size(3), x.size(1)}; }
inline int64_t sizeOf(const cpu::Image& image) { return image.height * image.width * image.channels; }

inline at::Tensor emptyImages(const at::Tensor& like, int64_t height, int64_t width, at::ScalarType type) {
  return at::empty({like.size(0), like.size(1), height, width},
                   like.options().dtype(type).memory_format(at::MemoryFormat::ChannelsLast));
}
inline at::Tensor emptyImages(const at::Tensor& like, int64_t height, int64_t width) {
  return emptyImages(like, height, width, like.scalar_type());
}

// body.template operator()<Element>() for the type of the images.
template <class Body>
auto withElement(const at::Tensor& images, const Body& body) {
  return images.scalar_type() == at::kBFloat16 ? body.template operator()<cpu::Bfloat16>()
                                               : body.template operator()<float>();
}

template <class Element>
const Element* dataOf(const at::Tensor& images) {
  return static_cast<const Element*>(images.const_data_ptr());
}
template <class Element>
Element* mutableDataOf(const at::Tensor& images) {
  return static_cast<Element*>(images.mutable_data_ptr());
}

inline void forEachSample(const at::Tensor& x, const std::function<void(int64_t sample)>& run) {
  at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t sample = begin; sample < end; ++sample) run(sample);
  });
}

}  // namespace espalier::kernels
