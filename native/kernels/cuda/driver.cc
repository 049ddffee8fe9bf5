#include "kernels/cuda/driver.h"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "kernels/operators.h"

namespace espalier::kernels::cuda {

namespace {

class CurrentStream {
 public:
  explicit CurrentStream(const at::Tensor& tensor)
      : guard_(tensor.device()), stream_(c10::cuda::getCurrentCUDAStream().stream()) {}
  Stream stream() const { return stream_; }
  static void check() { C10_CUDA_KERNEL_LAUNCH_CHECK(); }

 private:
  c10::cuda::CUDAGuard guard_;
  Stream stream_;
};

}  // namespace

TORCH_LIBRARY_IMPL(espalier, CUDA, m) {
  implement<Driver<CurrentStream>>(m);
  using Select = Selection<CurrentStream>;
  m.impl("kth_magnitude", TORCH_FN(Select::kthMagnitude));
  m.impl("select_lowest", TORCH_FN(Select::selectLowest));
  m.impl("select_lowest_each", TORCH_FN(Select::selectLowestEach));
  m.impl("select_lowest_between", TORCH_FN(Select::selectLowestBetween));
  m.impl("select_n_of_m", TORCH_FN(Select::selectNOfM));
}

}  // namespace espalier::kernels::cuda
