#pragma once

#include "kernels/cuda/device.h"

// What the threads of a block do together. Every thread of the block calls these.
namespace espalier::kernels::cuda {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kMostWarps = kThreads / kWarp;

// What integer atomics count in.
using Count = unsigned long long;

// Sums over the block, in a fixed order; thread 0 has them.
template <int kSums>
__device__ void addOverBlock(double (&sums)[kSums]) {
  __shared__ double ofWarp[kSums][kMostWarps];
  const unsigned lane = threadIdx.x % kWarp;
  const unsigned warp = threadIdx.x / kWarp;
  for (int k = 0; k < kSums; ++k) {
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
      sums[k] += __shfl_down_sync(kAllLanes, sums[k], distance);
    }
  }
  // The last call's sums may still be read.
  __syncthreads();
  for (int k = 0; k < kSums; ++k) {
    if (lane == 0) ofWarp[k][warp] = sums[k];
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int k = 0; k < kSums; ++k) {
    double sum = 0;
    for (unsigned i = 0; i < blockDim.x / kWarp; ++i) sum += ofWarp[k][i];
    sums[k] = sum;
  }
}

// The sum of the values of all threads before this one.
__device__ inline Count addBefore(Count value) {
  __shared__ Count before[kThreads];
  __syncthreads();
  before[threadIdx.x] = value;
  __syncthreads();
  if (threadIdx.x == 0) {
    Count sum = 0;
    for (unsigned i = 0; i < blockDim.x; ++i) {
      const Count here = before[i];
      before[i] = sum;
      sum += here;
    }
  }
  __syncthreads();
  return before[threadIdx.x];
}

// How many threads before this one say yes; `all`: how many threads of the block do.
__device__ inline unsigned countBefore(bool yes, unsigned& all) {
  __shared__ unsigned ofWarp[kMostWarps];
  const unsigned lane = threadIdx.x % kWarp;
  const unsigned warp = threadIdx.x / kWarp;
  const unsigned votes = __ballot_sync(kAllLanes, yes);
  __syncthreads();
  if (lane == 0) ofWarp[warp] = __popc(votes);
  __syncthreads();
  unsigned before = __popc(votes & ((1u << lane) - 1));
  all = 0;
  for (unsigned i = 0; i < blockDim.x / kWarp; ++i) {
    if (i < warp) before += ofWarp[i];
    all += ofWarp[i];
  }
  return before;
}

}  // namespace espalier::kernels::cuda
