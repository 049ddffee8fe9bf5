#pragma once

#include <cstdint>

// How sums run, the same for every instruction set that has fused multiply-add: 16 lanes in the precision of
// T over a block, the lanes folded by halves, the blocks added in float64.
namespace espalier::kernels::cpu {

constexpr int64_t kBlock = 1024;
constexpr int kLanes = 16;

template <class T>
inline double foldLanes(T (&lanes)[kLanes]) {
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return static_cast<double>(lanes[0]);
}

}  // namespace espalier::kernels::cpu
