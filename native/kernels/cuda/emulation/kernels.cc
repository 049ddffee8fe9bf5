// The kernels' own files, compiled for the host. NOLINTBEGIN(bugprone-suspicious-include)
#include "kernels/cuda/each_bfloat16.cu"
#include "kernels/cuda/each_double.cu"
#include "kernels/cuda/each_float.cu"
#include "kernels/cuda/each_half.cu"
#include "kernels/cuda/once.cu"
#include "kernels/cuda/select.cu"
#include "kernels/cuda/sums.cu"
// NOLINTEND(bugprone-suspicious-include)
