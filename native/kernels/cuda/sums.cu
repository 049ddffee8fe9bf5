#include "kernels/cuda/block.cuh"
#include "kernels/cuda/sums.h"

namespace espalier::kernels::cuda {

__global__ void addPartialsKernel(const __grid_constant__ Ranges ranges, const double* partial, int width,
                                  double* sums) {
  for (int i = blockIdx.x; i < ranges.count; i += gridDim.x) {
    for (int k = 0; k < width; ++k) {
      double sum[1] = {0};
      for (int chunk = ranges.first[i] + threadIdx.x; chunk < ranges.first[i + 1]; chunk += blockDim.x) {
        sum[0] += partial[int64_t{chunk} * width + k];
      }
      addOverBlock(sum);
      if (threadIdx.x == 0) sums[int64_t{ranges.tensor[i]} * width + k] = sum[0];
    }
  }
}

void addPartials(const Ranges& ranges, const double* partial, int width, double* sums, Stream stream) {
  launch(addPartialsKernel, ranges.count, stream, ranges, partial, width, sums);
}

}  // namespace espalier::kernels::cuda
