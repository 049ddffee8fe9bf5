#include <numeric>
#include <set>

#include "check.h"
#include "emulated.h"
#include "kernels/cuda/block.cuh"

using namespace espalier;
using namespace espalier::test;
using namespace espalier::kernels::cuda;

namespace {

constexpr int kSeeds = 20;

// Each thread gives a number to its neighbour on the left, by way of shared memory, kRounds times over.
enum class Mutation { kNone, kNoBarrierAfterWrite, kNoBarrierBeforeWrite };
constexpr int kRounds = 3;

template <Mutation kMutation>
__global__ void passLeft(int* result) {
  __shared__ int values[kThreads];
  int sum = 0;
  for (int round = 0; round < kRounds; ++round) {
    if (kMutation != Mutation::kNoBarrierBeforeWrite) __syncthreads();
    values[threadIdx.x] = static_cast<int>(threadIdx.x) + round;
    if (kMutation != Mutation::kNoBarrierAfterWrite) __syncthreads();
    sum += values[(threadIdx.x + 1) % blockDim.x];
  }
  result[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

// For how many seeds the kernel is right.
template <Mutation kMutation>
int rightSeeds() {
  int right = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Launches launches(seed);
    std::vector<int> result(size_t{2} * kThreads);
    launch(passLeft<kMutation>, 2, nullptr, result.data());
    bool isRight = true;
    for (int i = 0; i < 2 * kThreads; ++i) {
      const int neighbour = (i % kThreads + 1) % kThreads;
      isRight = isRight && result[static_cast<size_t>(i)] == kRounds * neighbour + 3;
    }
    right += isRight ? 1 : 0;
  }
  return right;
}

__global__ void barrierOfSome() {
  if (threadIdx.x < kWarp) __syncthreads();
}
__global__ void shuffleOfSome() {
  if (threadIdx.x % 2 == 0) __shfl_down_sync(kAllLanes, 1.0, 1);
}
__global__ void atomicFloats(float* sum) { atomicAdd(sum, 1.0f / static_cast<float>(1 + threadIdx.x)); }

__global__ void useBlock(double* sum, Count* before, unsigned* yes, unsigned* all) {
  double own[2] = {static_cast<double>(threadIdx.x), 1};
  addOverBlock(own);
  if (threadIdx.x == 0) {
    sum[0] = own[0];
    sum[1] = own[1];
  }
  before[threadIdx.x] = addBefore(threadIdx.x);
  yes[threadIdx.x] = countBefore(threadIdx.x % 3 == 0, *all);
}

std::string faultOf(void (*kernel)()) {
  try {
    launch(kernel, 1, nullptr);
  } catch (const emulation::Fault& fault) {
    return fault.what();
  }
  return "";
}

}  // namespace

TEST("emulation: a kernel is right in every order of threads") {
  EXPECT_EQ(rightSeeds<Mutation::kNone>(), kSeeds);
}

TEST("emulation: a kernel without one of its barriers is wrong") {
  EXPECT_EQ(rightSeeds<Mutation::kNoBarrierAfterWrite>(), 0);
  EXPECT_EQ(rightSeeds<Mutation::kNoBarrierBeforeWrite>(), 0);
}

TEST("emulation: a barrier or a shuffle that not all threads reach is a fault") {
  const Launches launches(1);
  EXPECT_EQ(
      faultOf(barrierOfSome),
      "32 of 256 threads wait at a barrier of the block, 0 at one of a warp, 224 have ended: expected all to "
      "reach the same barrier");
  EXPECT(faultOf(shuffleOfSome).find("128 at one of a warp") != std::string::npos);
}

TEST("emulation: a sum by float atomics depends on the order, and shows it") {
  std::set<float> sums;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Launches launches(seed);
    float sum = 0;
    launch(atomicFloats, 1, nullptr, &sum);
    sums.insert(sum);
  }
  EXPECT(sums.size() > 1);
}

TEST("emulation: sums, prefixes and votes over blocks of any size") {
  for (const unsigned threads : {32U, 64U, 224U, 256U}) {
    const Launches launches(threads, threads);
    double sum[2] = {};
    std::vector<Count> before(threads);
    std::vector<unsigned> yes(threads);
    unsigned all = 0;
    launch(useBlock, 1, nullptr, sum, before.data(), yes.data(), &all);
    EXPECT_EQ(sum[0], threads * (threads - 1) / 2.0);
    EXPECT_EQ(sum[1], threads);
    for (unsigned i = 0; i < threads; ++i) {
      EXPECT_EQ(before[i], i == 0 ? 0 : Count{i} * (i - 1) / 2);
      EXPECT_EQ(yes[i], (i + 2) / 3);
    }
    EXPECT_EQ(all, (threads + 2) / 3);
  }
}
