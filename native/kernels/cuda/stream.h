#pragma once

struct CUstream_st;

namespace espalier::kernels::cuda {

// cudaStream_t, for headers that know no CUDA.
using Stream = CUstream_st*;

}  // namespace espalier::kernels::cuda
