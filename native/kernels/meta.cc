#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "kernels/operators.h"
#include "kernels/select.h"

// The meta device: the same checks and shapes, no data.
namespace espalier::kernels {

namespace {

std::vector<at::Tensor> masksOf(at::TensorList tensors) {
  std::vector<at::Tensor> masks;
  for (const at::Tensor& tensor : tensors) {
    masks.push_back(at::empty(tensor.sizes(), tensor.options().dtype(at::kBool)));
  }
  return masks;
}

struct MetaDriver {
  template <class Functor>
  static at::Tensor each(const std::vector<Functor>& functors, at::TensorList like) {
    if constexpr (Functor::kSums == 0) return {};
    return at::empty({static_cast<int64_t>(functors.size()), Functor::kSums},
                     like[0].options().dtype(at::kDouble));
  }
  template <class Functor>
  static void once(const std::vector<Functor>&, const at::Tensor&) {}
  static std::vector<at::Tensor> selectLowest(at::TensorList tensors, int64_t) { return masksOf(tensors); }
};

at::Tensor kthMagnitude(at::TensorList tensors, int64_t k) {
  checkCount("kth_magnitude", "k", k - 1, tensors);
  return at::empty({}, tensors[0].options());
}
std::vector<at::Tensor> selectLowest(at::TensorList tensors, int64_t cut) {
  checkCount("select_lowest", "cut", cut, tensors);
  return masksOf(tensors);
}
std::vector<at::Tensor> selectLowestEach(at::TensorList tensors, at::IntArrayRef cuts) {
  checkEach("select_lowest_each", tensors, cuts);
  return masksOf(tensors);
}
std::vector<at::Tensor> selectLowestBetween(at::TensorList tensors, int64_t cut, at::IntArrayRef least,
                                            at::IntArrayRef most) {
  checkLimits("select_lowest_between", tensors, cut, least, most);
  return masksOf(tensors);
}
std::vector<at::Tensor> selectNOfM(at::TensorList tensors, int64_t n, int64_t m) {
  checkNOfM("select_n_of_m", tensors, n, m);
  return masksOf(tensors);
}

}  // namespace

TORCH_LIBRARY_IMPL(espalier, Meta, m) {
  implement<MetaDriver>(m);
  m.impl("kth_magnitude", TORCH_FN(kthMagnitude));
  m.impl("select_lowest", TORCH_FN(selectLowest));
  m.impl("select_lowest_each", TORCH_FN(selectLowestEach));
  m.impl("select_lowest_between", TORCH_FN(selectLowestBetween));
  m.impl("select_n_of_m", TORCH_FN(selectNOfM));
}

}  // namespace espalier::kernels
