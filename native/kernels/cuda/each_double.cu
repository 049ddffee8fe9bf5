#include "kernels/cuda/each.cuh"

namespace espalier::kernels::cuda {

constinit const DoubleEachTable kEachDouble = fill<DoubleEachTable>();

}  // namespace espalier::kernels::cuda
