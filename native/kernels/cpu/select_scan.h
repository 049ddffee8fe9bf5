#pragma once

#include <cstdint>

// The passes over float32 magnitudes that selection is made of, compiled for one instruction set each. A
// magnitude is a key: its bits without the sign, which order as the numbers do, NaN above infinity.
namespace espalier::kernels::cpu {

using Key = uint32_t;
constexpr Key kMagnitude = 0x7fffffffu;
constexpr Key kInfinity = 0x7f800000u;

struct ScanCounts {
  int64_t below = 0;      // key < low
  int64_t equalLow = 0;   // counted apart: a large group of ties at an end of the bracket is not gathered
  int64_t equalHigh = 0;  // key == high > low
  int64_t notANumber = 0;
};

struct SelectPasses {
  // Counts against the bracket [low, high] and writes the keys strictly inside to `inside`, which has room
  // for n + 16; returns how many.
  int64_t (*scan)(const float* values, int64_t n, Key low, Key high, Key* inside, ScanCounts& counts);
  // kept[i] = key > threshold, or >= where `keepEqual`; returns how many equal it.
  int64_t (*mask)(const float* values, int64_t n, Key threshold, bool keepEqual, bool* kept);
  int64_t (*countBelow)(const float* values, int64_t n, Key threshold);
};

extern const SelectPasses kSelectDefault;
extern const SelectPasses kSelectAvx2;
extern const SelectPasses kSelectAvx512;
const SelectPasses& selectPasses();

}  // namespace espalier::kernels::cpu
