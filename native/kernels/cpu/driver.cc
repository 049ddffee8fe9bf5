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

const FloatTables& floatTables() {
  static const FloatTables& tables = [&]() -> const FloatTables& {
    const std::string capability = at::get_cpu_capability();
    if (capability == "AVX512") return kFloatAvx512;
    if (capability == "AVX2") return kFloatAvx2;
    return kFloatDefault;
  }();
  return tables;
}

const char* instructionSet() {
  const FloatTables* tables = &floatTables();
  if (tables == &kFloatAvx512) return "avx512";
  if (tables == &kFloatAvx2) return "avx2";
  return "baseline";
}

TORCH_LIBRARY_IMPL(espalier, CPU, m) { implement<Driver>(m); }

TORCH_LIBRARY_IMPL(espalier, CompositeExplicitAutograd, m) {
  m.impl("instruction_set", [] { return std::string(instructionSet()); });
}

}  // namespace espalier::kernels::cpu
