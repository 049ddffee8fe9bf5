#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "kernels/cuda/each.cuh"
#include "kernels/cuda/select.cuh"
#include "kernels/cuda/sums.cu"  // NOLINT(bugprone-suspicious-include): compiled for the host

// The CUDA kernels with one thread of the system for each emulated one, for the thread sanitizer: races
// kernels runs those whose threads share memory; races broken runs one that lacks a barrier, which must be
// reported. Knows no torch, which is not instrumented.
using namespace espalier;
using namespace espalier::kernels;
using namespace espalier::kernels::cuda;

namespace {

constexpr int64_t kSizes[] = {5, 9001};
constexpr int64_t kCount = 9006;

void runKernels() {
  std::vector<float> weights(kCount);
  for (int64_t i = 0; i < kCount; ++i)
    weights[static_cast<size_t>(i)] = 0.25F * std::round(4 * std::sin(float(i)));
  std::vector<float> gradients(kCount, 0.5F);
  const double threshold = 0.1;
  const double temperature = 0.05;
  std::vector<LtpStep<float, float>> functors(2);
  int64_t at = 0;
  for (size_t i = 0; i < 2; ++i) {
    functors[i].weight = weights.data() + at;
    functors[i].gradient = gradients.data() + at;
    functors[i].threshold = &threshold;
    functors[i].temperature = &temperature;
    at += kSizes[i];
  }
  std::vector<double> partial(3 * 3);
  std::vector<double> sums(2 * 3);
  runEach(functors.data(), kSizes, 2, partial.data(), sums.data(), nullptr);

  std::vector<char> kept(kCount);
  auto* masks = reinterpret_cast<bool*>(kept.data());
  const Tensors<float> tensors = {
      {weights.data(), weights.data() + kSizes[0]}, {masks, masks + kSizes[0]}, {kSizes[0], kSizes[1]}};
  Search search;
  std::vector<Count> histogram(kDigits);
  std::vector<Count> ties(4);
  std::vector<Count> counts(2);
  findKey(tensors, kCount / 2, &search, histogram.data(), nullptr);
  cutLowest(tensors, kCount / 2, &search, ties.data(), nullptr);
  countBelow(tensors, search.key, counts.data(), nullptr);
  int64_t cut = 0;
  for (const char keep : kept) cut += keep != 0 ? 0 : 1;
  std::printf("cut %lld of %lld\n", static_cast<long long>(cut), static_cast<long long>(kCount));
}

__global__ void passLeftWithoutBarrier(int* result) {
  __shared__ int values[kThreads];
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  result[threadIdx.x] = values[(threadIdx.x + 1) % blockDim.x];
}

}  // namespace

int main(int argc, char** argv) {
  emulation::settings().backend = emulation::Backend::kThreads;
  emulation::settings().threads = 64;
  const bool isBroken = argc > 1 && std::strcmp(argv[1], "broken") == 0;
  if (!isBroken) {
    runKernels();
    return 0;
  }
  std::vector<int> result(kThreads);
  launch(passLeftWithoutBarrier, 1, nullptr, result.data());
  return 0;
}
