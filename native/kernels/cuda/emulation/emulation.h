#pragma once

// CUDA kernels as plain C++: enough of the launch to run this folder's kernels on the host, one block after
// the other, in an order of threads and blocks that a seed decides. Included in the place of CUDA's headers.
//
// What it shows: results that depend on the order of threads or blocks, barriers that not all threads reach,
// and with the threads backend under -fsanitize=thread unordered access to the same memory. What it cannot
// show: what blocks do to each other while they run together, shared memory that is read before it is written
// (it holds what the last block left), and a missing __syncwarp beside a shuffle, which here is a barrier.

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>

#include "kernels/cuda/emulation/settings.h"

namespace espalier::emulation {

void launch(unsigned blocks, unsigned threads, const std::function<void()>& kernel);

struct Dimension {
  unsigned x;
};
struct Thread {
  Dimension thread;
  Dimension block;
  Dimension threads;
  Dimension blocks;
  unsigned turn = 0;  // which of the two exchange slots is next
};
Thread& current();

void blockBarrier();
void warpBarrier();

constexpr unsigned kWarpSize = 32;

// Puts `bits` where the threads of the warp see it; the array is indexed by thread of the block, and is valid
// until the thread's next exchange.
const uint64_t* exchange(uint64_t bits);

template <class T>
T shuffle(T value, unsigned source) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  const uint64_t* all = exchange(bits);
  std::memcpy(&value, &all[source], sizeof value);
  return value;
}

inline void requireWholeWarp(unsigned lanes) {
  if (lanes != 0xffffffffu) throw Fault("expected a warp operation of all 32 lanes");
}

}  // namespace espalier::emulation

// NOLINTBEGIN(bugprone-reserved-identifier): these names are CUDA's.
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
// Blocks run one after the other: what is static is shared by the block.
#define __shared__ static
#define threadIdx (::espalier::emulation::current().thread)
#define blockIdx (::espalier::emulation::current().block)
#define blockDim (::espalier::emulation::current().threads)
#define gridDim (::espalier::emulation::current().blocks)

inline void __syncthreads() { espalier::emulation::blockBarrier(); }

template <class T>
T __shfl_down_sync(unsigned lanes, T value, unsigned distance) {
  using namespace espalier::emulation;
  requireWholeWarp(lanes);
  const unsigned own = threadIdx.x;
  return shuffle(value, own % kWarpSize + distance < kWarpSize ? own + distance : own);
}

inline unsigned __ballot_sync(unsigned lanes, bool yes) {
  using namespace espalier::emulation;
  requireWholeWarp(lanes);
  const uint64_t* all = exchange(yes ? 1 : 0) + threadIdx.x / kWarpSize * kWarpSize;
  unsigned votes = 0;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) votes |= static_cast<unsigned>(all[lane]) << lane;
  return votes;
}

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }

template <class T>
T atomicAdd(T* address, T value) {
  return std::atomic_ref<T>(*address).fetch_add(value, std::memory_order_relaxed);
}
template <class T>
T atomicMin(T* address, T value) {
  std::atomic_ref<T> target(*address);
  T before = target.load(std::memory_order_relaxed);
  while (value < before && !target.compare_exchange_weak(before, value, std::memory_order_relaxed)) {
  }
  return before;
}
// NOLINTEND(bugprone-reserved-identifier)
