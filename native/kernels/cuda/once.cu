#include "kernels/cuda/device.h"
#include "kernels/cuda/once.h"
#include "kernels/cuda/table.h"
#include "kernels/functors/list.h"

namespace espalier::kernels::cuda {

template <class Functor>
struct OnceTable {
  static constexpr int kMost = static_cast<int>((kTableBytes - sizeof(int64_t)) / sizeof(Functor));
  int32_t count = 0;
  Functor functors[kMost];
};

template <class Functor>
__global__ void __launch_bounds__(kThreads) onceKernel(const __grid_constant__ OnceTable<Functor> table) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < table.count; i += gridDim.x * blockDim.x) {
    table.functors[i]();
  }
}

template <class Functor>
void runOnce(const Functor* functors, int64_t count, Stream stream) {
  OnceTable<Functor> table;
  for (int64_t begin = 0; begin < count; begin += table.count) {
    const int64_t left = count - begin;
    table.count = static_cast<int32_t>(left < table.kMost ? left : table.kMost);
    for (int i = 0; i < table.count; ++i) table.functors[i] = functors[begin + i];
    launch(onceKernel<Functor>, 1, stream, table);
  }
}

template void runOnce(const AdamAdvance*, int64_t, Stream);
template void runOnce(const LtpThresholdStep*, int64_t, Stream);
template void runOnce(const LtpCap*, int64_t, Stream);
template void runOnce(const RaiseFlag*, int64_t, Stream);

}  // namespace espalier::kernels::cuda
