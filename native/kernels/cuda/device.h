#pragma once

#include <cstdint>

// What kernels need of CUDA: from nvcc, or from the emulation that runs the same kernels on the host.
#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "kernels/cuda/emulation/emulation.h"
#endif

#include "kernels/cuda/stream.h"

namespace espalier::kernels::cuda {

// Kernels hold for any block of whole warps up to this one, and for any grid.
constexpr int kThreads = 256;
constexpr int kWarp = 32;

// Errors of a launch are found by who owns the stream (Place::check).
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), int64_t blocks, Stream stream, Arguments&&... arguments) {
#ifdef __CUDACC__
  kernel<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(arguments...);
#else
  (void)stream;
  emulation::launch(static_cast<unsigned>(blocks), kThreads, [&] { kernel(arguments...); });
#endif
}

}  // namespace espalier::kernels::cuda
