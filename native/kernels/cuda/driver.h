#pragma once

#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "kernels/cuda/each.h"
#include "kernels/cuda/once.h"
#include "kernels/cuda/selection.h"
#include "kernels/cuda/table.h"

namespace espalier::kernels::cuda {

// Runs functors on a GPU (operators/common.h). `Place(tensor)` makes the tensor's device the current one
// while it lives; stream() is where kernels go, and check() throws if one could not be launched. The tests
// give one of the emulation.
template <class Place>
struct Driver {
  template <class Functor>
  static at::Tensor each(const std::vector<Functor>& functors, at::TensorList like) {
    const Place place(like[0]);
    std::vector<int64_t> sizes;
    int64_t chunks = 0;
    for (const at::Tensor& tensor : like) {
      sizes.push_back(tensor.numel());
      chunks += chunksOf(tensor.numel());
    }
    at::Tensor sums;
    at::Tensor partial;
    double* sumsData = nullptr;
    double* partialData = nullptr;
    if constexpr (Functor::kSums > 0) {
      const auto options = like[0].options().dtype(at::kDouble);
      sums = at::zeros({static_cast<int64_t>(functors.size()), Functor::kSums}, options);
      partial = at::empty({chunks, Functor::kSums}, options);
      sumsData = static_cast<double*>(sums.mutable_data_ptr());
      partialData = static_cast<double*>(partial.mutable_data_ptr());
    }
    findEach<Functor>()(functors.data(), sizes.data(), static_cast<int64_t>(sizes.size()), partialData,
                        sumsData, place.stream());
    place.check();
    return sums;
  }

  template <class Functor>
  static void once(const std::vector<Functor>& functors, const at::Tensor& like) {
    const Place place(like);
    runOnce(functors.data(), static_cast<int64_t>(functors.size()), place.stream());
    place.check();
  }

  static std::vector<at::Tensor> selectLowest(at::TensorList tensors, int64_t cut) {
    return Selection<Place>::selectLowest(tensors, cut);
  }
};

}  // namespace espalier::kernels::cuda
