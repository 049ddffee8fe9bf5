#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cuda/stream.h"

// The passes of selection over tensors on the device, without torch. A magnitude is a key: the bits of the
// float (or the double) without its sign, which order as the numbers do, NaN above infinity. Nothing here
// waits for the device.
namespace espalier::kernels::cuda {

using Count = unsigned long long;

// A digit of the key has at most so many bits.
constexpr int kDigitBits = 11;
constexpr int kDigits = 1 << kDigitBits;

// What one search knows, on the device.
struct Search {
  Count key;         // the digits found so far; in the end the threshold
  Count below;       // how many keys are lower
  Count rank;        // of the wanted key among those with these digits, from 1
  Count notANumber;  // the first tensor that has a NaN, or kNone
  static constexpr Count kNone = ~Count{0};
};

template <class E>
struct Tensors {
  std::vector<const E*> values;
  std::vector<bool*> kept;  // empty where no masks are made
  std::vector<int64_t> sizes;
};

// The key of rank `rank`, from 1. `histogram` has kDigits elements.
template <class E>
void findKey(const Tensors<E>& tensors, int64_t rank, Search* search, Count* histogram, Stream stream);

// Masks that cut the `cut` lowest; `search` is findKey's of the rank max(1, cut). `ties` has one element more
// than there are chunks (table.h).
template <class E>
void cutLowest(const Tensors<E>& tensors, int64_t cut, const Search* search, Count* ties, Stream stream);

// counts[i] += how many keys of tensor i are below `key`.
template <class E>
void countBelow(const Tensors<E>& tensors, Count key, Count* counts, Stream stream);

// Of each m neighbours the n highest; of equal ones the last. Only search->notANumber is used.
template <class E>
void keepNOfM(const Tensors<E>& tensors, int64_t n, int64_t m, Search* search, Stream stream);

}  // namespace espalier::kernels::cuda
