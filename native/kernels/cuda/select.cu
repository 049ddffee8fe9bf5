#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "kernels/cuda/select.cuh"

namespace espalier::kernels::cuda {

#define ESPALIER_SELECT(E)                                                               \
  template void findKey<E>(const Tensors<E>&, int64_t, Search*, Count*, Stream);         \
  template void cutLowest<E>(const Tensors<E>&, int64_t, const Search*, Count*, Stream); \
  template void countBelow<E>(const Tensors<E>&, Count, Count*, Stream);                 \
  template void keepNOfM<E>(const Tensors<E>&, int64_t, int64_t, Search*, Stream);
ESPALIER_SELECT(float)
ESPALIER_SELECT(double)
ESPALIER_SELECT(c10::Half)
ESPALIER_SELECT(c10::BFloat16)
#undef ESPALIER_SELECT

}  // namespace espalier::kernels::cuda
