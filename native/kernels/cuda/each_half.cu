#include "kernels/cuda/each.cuh"

namespace espalier::kernels::cuda {

constinit const FloatEachTable<c10::Half> kEachHalf = fill<FloatEachTable<c10::Half>>();

}  // namespace espalier::kernels::cuda
