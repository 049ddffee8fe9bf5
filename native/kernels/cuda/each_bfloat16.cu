#include "kernels/cuda/each.cuh"

namespace espalier::kernels::cuda {

constinit const FloatEachTable<c10::BFloat16> kEachBFloat16 = fill<FloatEachTable<c10::BFloat16>>();

}  // namespace espalier::kernels::cuda
