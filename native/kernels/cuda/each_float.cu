#include "kernels/cuda/each.cuh"

namespace espalier::kernels::cuda {

constinit const FloatEachTable<float> kEachFloat = fill<FloatEachTable<float>>();
constinit const CommonEachTable kEachCommon = fill<CommonEachTable>();

}  // namespace espalier::kernels::cuda
