#pragma once

#include <cstdint>

#include "kernels/cuda/stream.h"

namespace espalier::kernels::cuda {

// Calls each functor once on the device. once.cu compiles it for the functors that the operators have.
template <class Functor>
void runOnce(const Functor* functors, int64_t count, Stream stream);

}  // namespace espalier::kernels::cuda
