#pragma once

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/count_nonzero.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "kernels/between.h"
#include "kernels/cuda/select.h"
#include "kernels/cuda/table.h"
#include "kernels/select.h"

namespace espalier::kernels::cuda {

// The operators of selection on a GPU: the same masks as on the CPU. Each waits for the device once, to say
// whether a NaN was met, selectLowestBetween once a step of its bisection.
template <class Place>
struct Selection {
  static at::Tensor kthMagnitude(at::TensorList tensors, int64_t k) {
    constexpr const char* kOp = "kth_magnitude";
    checkCount(kOp, "k - 1", k - 1, tensors);
    return dispatch(tensors, [&](auto type) {
      using E = decltype(type);
      const Place place(tensors[0]);
      const Values<E> values(tensors, /*withMasks=*/false);
      TORCH_CHECK_VALUE(k <= values.count, kOp, ": expected k from 1 to ", values.count, ", found ", k);
      const Searches searches(tensors[0], 1);
      findKey(values.tensors, k, searches.at(0), searches.histogram(), place.stream());
      place.check();
      const Search found = searches.read(kOp)[0];
      if constexpr (std::is_same_v<E, double>) {
        return at::scalar_tensor(std::bit_cast<double>(uint64_t{found.key}), tensors[0].options());
      } else {
        return at::scalar_tensor(std::bit_cast<float>(static_cast<uint32_t>(found.key)),
                                 tensors[0].options());
      }
    });
  }

  static std::vector<at::Tensor> selectLowest(at::TensorList tensors, int64_t cut) {
    constexpr const char* kOp = "select_lowest";
    checkCount(kOp, "cut", cut, tensors);
    return dispatch(tensors, [&](auto type) {
      const Place place(tensors[0]);
      const Values<decltype(type)> values(tensors);
      const Searches searches(tensors[0], 1);
      cutFrom(values, cut, searches, 0, place.stream());
      place.check();
      searches.read(kOp);
      return values.masks;
    });
  }

  static std::vector<at::Tensor> selectLowestEach(at::TensorList tensors, at::IntArrayRef cuts) {
    constexpr const char* kOp = "select_lowest_each";
    checkEach(kOp, tensors, cuts);
    return dispatch(tensors, [&](auto type) {
      const Place place(tensors[0]);
      const Searches searches(tensors[0], static_cast<int64_t>(tensors.size()));
      std::vector<at::Tensor> masks;
      for (size_t i = 0; i < tensors.size(); ++i) {
        const Values<decltype(type)> values(tensors.slice(i, 1));
        cutFrom(values, cuts[i], searches, i, place.stream());
        masks.push_back(values.masks[0]);
      }
      place.check();
      searches.read(kOp);
      return masks;
    });
  }

  static std::vector<at::Tensor> selectLowestBetween(at::TensorList tensors, int64_t cut,
                                                     at::IntArrayRef least, at::IntArrayRef most) {
    constexpr const char* kOp = "select_lowest_between";
    checkLimits(kOp, tensors, cut, least, most);
    // Where the limits do not bind the answer is the one without them.
    std::vector<at::Tensor> masks = selectLowest(tensors, cut);
    if (isWithin(masks, least, most)) return masks;
    const std::vector<int64_t> cuts = dispatch(tensors, [&](auto type) {
      using E = decltype(type);
      const Place place(tensors[0]);
      const Values<E> values(tensors, /*withMasks=*/false);
      using Key = std::conditional_t<std::is_same_v<E, double>, uint64_t, uint32_t>;
      using Float = std::conditional_t<std::is_same_v<E, double>, double, float>;
      const auto countBelowKey = [&](Key key) {
        const at::Tensor counts =
            at::zeros({static_cast<int64_t>(tensors.size())}, tensors[0].options().dtype(at::kLong));
        countBelow(values.tensors, key, static_cast<Count*>(counts.mutable_data_ptr()), place.stream());
        place.check();
        const at::Tensor here = counts.cpu();
        const auto* data = static_cast<const int64_t*>(here.const_data_ptr());
        return std::vector<int64_t>(data, data + tensors.size());
      };
      return cutsBetween(std::bit_cast<Key>(std::numeric_limits<Float>::infinity()), cut, least, most,
                         countBelowKey);
    });
    return selectLowestEach(tensors, cuts);
  }

  static std::vector<at::Tensor> selectNOfM(at::TensorList tensors, int64_t n, int64_t m) {
    constexpr const char* kOp = "select_n_of_m";
    checkNOfM(kOp, tensors, n, m);
    return dispatch(tensors, [&](auto type) {
      const Place place(tensors[0]);
      const Values<decltype(type)> values(tensors);
      const Searches searches(tensors[0], 1);
      keepNOfM(values.tensors, n, m, searches.at(0), place.stream());
      place.check();
      searches.read(kOp);
      return values.masks;
    });
  }

 private:
  // The values of all tensors, each contiguous, and masks for them.
  template <class E>
  struct Values {
    std::vector<at::Tensor> held;
    std::vector<at::Tensor> masks;
    Tensors<E> tensors;
    int64_t count = 0;
    int64_t chunks = 0;

    explicit Values(at::TensorList given, bool withMasks = true) {
      for (const at::Tensor& tensor : given) {
        held.push_back(tensor.detach().to(c10::CppTypeToScalarType<E>::value).contiguous());
        tensors.values.push_back(static_cast<const E*>(held.back().const_data_ptr()));
        tensors.sizes.push_back(tensor.numel());
        count += tensor.numel();
        chunks += chunksOf(tensor.numel());
        if (!withMasks) continue;
        masks.push_back(at::empty(tensor.sizes(), held.back().options().dtype(at::kBool)));
        tensors.kept.push_back(static_cast<bool*>(masks.back().mutable_data_ptr()));
      }
    }
  };

  // What searches know, on the device, and their workspace.
  class Searches {
   public:
    Searches(const at::Tensor& like, int64_t count)
        : searches_(at::empty({count, kWords}, like.options().dtype(at::kLong))),
          histogram_(at::empty({kDigits}, like.options().dtype(at::kLong))) {}
    Search* at(size_t i) const { return static_cast<Search*>(searches_.mutable_data_ptr()) + i; }
    Count* histogram() const { return static_cast<Count*>(histogram_.mutable_data_ptr()); }
    // Waits for the device.
    std::vector<Search> read(const char* op) const {
      const at::Tensor here = searches_.cpu();
      const auto* data = static_cast<const Search*>(here.const_data_ptr());
      std::vector<Search> all(data, data + here.size(0));
      for (size_t i = 0; i < all.size(); ++i) {
        // Of more searches than one, each is of one tensor.
        if (all[i].notANumber != Search::kNone) failNotANumber(op, i + all[i].notANumber);
      }
      return all;
    }

   private:
    static constexpr int64_t kWords = sizeof(Search) / sizeof(int64_t);
    at::Tensor searches_;
    at::Tensor histogram_;
  };

  static bool isWithin(const std::vector<at::Tensor>& masks, at::IntArrayRef least, at::IntArrayRef most) {
    std::vector<at::Tensor> counts;
    for (const at::Tensor& mask : masks) counts.push_back(at::count_nonzero(mask));
    const at::Tensor kept = at::stack(counts).cpu();
    const auto* data = static_cast<const int64_t*>(kept.const_data_ptr());
    for (size_t i = 0; i < masks.size(); ++i) {
      const int64_t cut = masks[i].numel() - data[i];
      if (cut < least[i] || cut > most[i]) return false;
    }
    return true;
  }

  template <class E>
  static void cutFrom(const Values<E>& values, int64_t cut, const Searches& searches, size_t i,
                      Stream stream) {
    findKey(values.tensors, std::max<int64_t>(1, cut), searches.at(i), searches.histogram(), stream);
    const at::Tensor ties = at::empty({values.chunks + 1}, values.held[0].options().dtype(at::kLong));
    cutLowest(values.tensors, cut, searches.at(i), static_cast<Count*>(ties.mutable_data_ptr()), stream);
  }

  template <class Body>
  static auto dispatch(at::TensorList tensors, const Body& body) {
    switch (tensors[0].scalar_type()) {
      case at::kDouble:
        return body(double{});
      case at::kHalf:
        return body(c10::Half{});
      case at::kBFloat16:
        return body(c10::BFloat16{});
      default:
        return body(float{});
    }
  }
};

}  // namespace espalier::kernels::cuda
