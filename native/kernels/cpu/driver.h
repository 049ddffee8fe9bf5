#pragma once

#include <algorithm>
#include <string_view>
#include <type_traits>
#include <vector>
#include <xmmintrin.h>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include "kernels/cpu/table.h"

// Runs functors on the CPU: tensors are cut into chunks of a fixed size, a chunk is one thread's, and the
// chunks' sums are added in their order. So no result depends on the number of threads. Thread rule: ATen's
// parallel loops, which obey at::set_num_threads of the calling thread.
namespace espalier::kernels::cpu {

constexpr int64_t kChunk = 16384;
// Fewer elements than these are not worth a second thread.
constexpr int64_t kGrain = 32768;

struct Chunk {
  size_t tensor;
  int64_t begin;
  int64_t end;
};

std::vector<Chunk> chunksOf(at::TensorList tensors, int64_t size = kChunk);

// While it lives, what is too small for a normal number is zero on its thread.
class FlushDenormals {
 public:
  FlushDenormals() { _mm_setcsr(before_ | kFlushResults | kFlushOperands); }
  ~FlushDenormals() { _mm_setcsr(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  static constexpr unsigned kFlushResults = 0x8000;
  static constexpr unsigned kFlushOperands = 0x0040;
  const unsigned before_ = _mm_getcsr();
};

template <class Body>
void forEachChunk(const std::vector<Chunk>& chunks, const Body& body) {
  int64_t elements = 0;
  for (const Chunk& chunk : chunks) elements += chunk.end - chunk.begin;
  const auto count = static_cast<int64_t>(chunks.size());
  const int64_t grain = elements <= kGrain ? count : std::max<int64_t>(1, count * kGrain / elements);
  at::parallel_for(0, count, std::max<int64_t>(1, grain), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(static_cast<size_t>(i));
  });
}

// The widest instruction set that this machine has (ATEN_CPU_CAPABILITY may ask for less).
// "avx512", "avx2" or "baseline".
const char* instructionSet();
// Of what is compiled once an instruction set, that which runs here.
template <class T>
const T& forMachine(const T* avx512, const T* avx2, const T* baseline) {
  const std::string_view name = instructionSet();
  return *(name == "avx512" ? avx512 : name == "avx2" ? avx2 : baseline);
}
const FloatTables& floatTables();

template <class Functor>
void runOn(RunChunk<Functor> run, const Functor& functor, const Chunk& chunk, double* sums) {
  if constexpr (requires { Functor::kFlushesDenormals; }) {
    const FlushDenormals flush;
    run(functor, chunk.begin, chunk.end, sums);
  } else {
    run(functor, chunk.begin, chunk.end, sums);
  }
}

template <class Functor>
RunChunk<Functor> chosen() {
  if constexpr (std::is_base_of_v<Entry<Functor>, DoubleTable>) {
    return static_cast<const Entry<Functor>&>(kDouble).run;
  } else {
    return static_cast<const Entry<Functor>&>(floatTables()).run;
  }
}

std::vector<at::Tensor> selectLowest(at::TensorList tensors, int64_t cut);

struct Driver {
  template <class Functor>
  static at::Tensor each(const std::vector<Functor>& functors, at::TensorList like) {
    const std::vector<Chunk> chunks = chunksOf(like);
    const RunChunk<Functor> run = chosen<Functor>();
    if constexpr (Functor::kSums == 0) {
      forEachChunk(chunks, [&](size_t i) { runOn(run, functors[chunks[i].tensor], chunks[i], nullptr); });
      return {};
    } else {
      constexpr size_t kSums = Functor::kSums;
      std::vector<double> partial(chunks.size() * kSums);
      forEachChunk(chunks, [&](size_t i) {
        runOn(run, functors[chunks[i].tensor], chunks[i], partial.data() + i * kSums);
      });
      at::Tensor sums = at::zeros({static_cast<int64_t>(functors.size()), Functor::kSums}, at::kDouble);
      double* out = static_cast<double*>(sums.mutable_data_ptr());
      for (size_t i = 0; i < chunks.size(); ++i) {
        for (size_t k = 0; k < kSums; ++k) out[chunks[i].tensor * kSums + k] += partial[i * kSums + k];
      }
      return sums;
    }
  }

  template <class Functor>
  static void once(const std::vector<Functor>& functors, const at::Tensor&) {
    for (const Functor& functor : functors) functor();
  }

  static std::vector<at::Tensor> selectLowest(at::TensorList tensors, int64_t cut) {
    return cpu::selectLowest(tensors, cut);
  }
};

}  // namespace espalier::kernels::cpu
