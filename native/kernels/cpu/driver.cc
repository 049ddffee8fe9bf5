#include "kernels/cpu/driver.h"

#include <ATen/Version.h>
#include <torch/library.h>

#include "kernels/operators.h"

namespace espalier::kernels::cpu {

std::vector<Chunk> chunksOf(at::TensorList tensors, int64_t size) {
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t count = tensors[i].numel();
    for (int64_t begin = 0; begin < count; begin += size) {
      chunks.push_back({i, begin, std::min(begin + size, count)});
    }
  }
  return chunks;
}

const char* instructionSet() {
  static const char* const name = [] {
    const std::string capability = at::get_cpu_capability();
    return capability == "AVX512" ? "avx512" : capability == "AVX2" ? "avx2" : "baseline";
  }();
  return name;
}

const FloatTables& floatTables() { return forMachine(&kFloatAvx512, &kFloatAvx2, &kFloatDefault); }

TORCH_LIBRARY_IMPL(espalier, CPU, m) { implement<Driver>(m); }

TORCH_LIBRARY_IMPL(espalier, CompositeExplicitAutograd, m) {
  m.impl("instruction_set", [] { return std::string(instructionSet()); });
}

}  // namespace espalier::kernels::cpu
