#pragma once

#include <cmath>

#include "kernels/cuda/block.cuh"
#include "kernels/cuda/select.h"
#include "kernels/cuda/table.h"

namespace espalier::kernels::cuda {

// Histograms gain nothing from more blocks: each adds its own to the sum.
constexpr int64_t kHistogramBlocks = 1024;

template <class E>
struct Keys {
  using Key = uint32_t;
  static constexpr int kBits = 31;
  static constexpr Key kInfinity = 0x7f800000u;
  ESPALIER_INLINE static Key of(E value) {
    return static_cast<Key>(floatToBits(static_cast<float>(value))) & 0x7fffffffu;
  }
};
template <>
struct Keys<double> {
  using Key = uint64_t;
  static constexpr int kBits = 63;
  static constexpr Key kInfinity = 0x7ff0000000000000u;
  ESPALIER_INLINE static Key of(double value) {
    Key bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x7fffffffffffffffu;
  }
};

template <class E>
struct Source {
  const E* values;
  bool* kept;
};
template <class E>
using SourceTable = Table<Source<E>>;

__global__ void beginSearch(Search* search, Count rank, Count* histogram) {
  if (threadIdx.x == 0) *search = {0, 0, rank, Search::kNone};
  for (int i = threadIdx.x; i < kDigits; i += blockDim.x) histogram[i] = 0;
}

// Counts the digit of `bits` bits at `shift`, of the keys that have the higher digits found so far.
template <class E>
__global__ void __launch_bounds__(kThreads)
    countDigits(const __grid_constant__ SourceTable<E> table, Search* search, int shift, int bits,
                Count* histogram) {
  using Key = typename Keys<E>::Key;
  __shared__ unsigned counts[kDigits];
  const Key found = static_cast<Key>(search->key);
  const Key above = ~Key{0} << (shift + bits);
  const int digits = 1 << bits;
  for (int i = threadIdx.x; i < digits; i += blockDim.x) counts[i] = 0;
  __syncthreads();
  for (int index = blockIdx.x; index < table.chunks; index += gridDim.x) {
    const Chunk chunk = table.chunk(index);
    const E* values = table.slots[chunk.slot].entry.values;
    bool isBad = false;
    for (int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += blockDim.x) {
      const Key key = Keys<E>::of(values[i]);
      isBad = isBad || key > Keys<E>::kInfinity;
      if ((key & above) == found) atomicAdd(&counts[(key >> shift) & (digits - 1)], 1u);
    }
    if (isBad) atomicMin(&search->notANumber, static_cast<Count>(table.slots[chunk.slot].tensor));
  }
  __syncthreads();
  for (int i = threadIdx.x; i < digits; i += blockDim.x) {
    if (counts[i] > 0) atomicAdd(&histogram[i], static_cast<Count>(counts[i]));
  }
}

// One block: the digit whose keys include the wanted rank; empties the histogram for the next.
__global__ void __launch_bounds__(kThreads)
    chooseDigit(Search* search, int shift, int bits, Count* histogram) {
  const int digits = 1 << bits;
  const int each = (digits + blockDim.x - 1) / blockDim.x;
  const int begin = each * threadIdx.x;
  const int end = begin + each < digits ? begin + each : digits;
  const Count rank = search->rank;
  Count here = 0;
  for (int i = begin; i < end; ++i) here += histogram[i];
  Count before = addBefore(here);
  if (before < rank && rank <= before + here) {
    int digit = begin;
    for (; before + histogram[digit] < rank; ++digit) before += histogram[digit];
    search->key |= static_cast<Count>(digit) << shift;
    search->below += before;
    search->rank = rank - before;
  }
  for (int i = begin; i < end; ++i) histogram[i] = 0;
}

// How many of those that equal the threshold are cut.
ESPALIER_INLINE Count tiesOf(const Search& search, Count cut) {
  return cut > search.below ? cut - search.below : 0;
}

// Cuts what is below the threshold, and all ties if any is cut; ties[chunk] is how many there are.
template <class E>
__global__ void __launch_bounds__(kThreads)
    writeMasks(const __grid_constant__ SourceTable<E> table, const Search* search, Count cut, Count* ties) {
  using Key = typename Keys<E>::Key;
  const Key threshold = static_cast<Key>(search->key);
  const bool keepEqual = tiesOf(*search, cut) == 0;
  for (int index = blockIdx.x; index < table.chunks; index += gridDim.x) {
    const Chunk chunk = table.chunk(index);
    const Source<E> source = table.slots[chunk.slot].entry;
    int equal = 0;
    for (int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += blockDim.x) {
      const Key key = Keys<E>::of(source.values[i]);
      source.kept[i] = key > threshold || (keepEqual && key == threshold);
      equal += key == threshold ? 1 : 0;
    }
    double ofBlock[1] = {static_cast<double>(equal)};
    addOverBlock(ofBlock);
    if (threadIdx.x == 0) ties[index] = static_cast<Count>(ofBlock[0]);
  }
}

// One block: each of `count` numbers becomes the sum of those before it; ties[count] that of all.
__global__ void __launch_bounds__(kThreads) sumBefore(Count* ties, int64_t count) {
  const int64_t each = (count + blockDim.x - 1) / blockDim.x;
  const int64_t begin = each * threadIdx.x < count ? each * threadIdx.x : count;
  const int64_t end = begin + each < count ? begin + each : count;
  Count here = 0;
  for (int64_t i = begin; i < end; ++i) here += ties[i];
  Count before = addBefore(here);
  for (int64_t i = begin; i < end; ++i) {
    const Count value = ties[i];
    ties[i] = before;
    before += value;
  }
  if (threadIdx.x == blockDim.x - 1) ties[count] = before;
}

// Keeps the ties after the first ones that are cut, in the order of tensors and index.
template <class E>
__global__ void __launch_bounds__(kThreads)
    keepLaterTies(const __grid_constant__ SourceTable<E> table, const Search* search, Count cut,
                  const Count* tiesBefore) {
  using Key = typename Keys<E>::Key;
  const Key threshold = static_cast<Key>(search->key);
  const Count ties = tiesOf(*search, cut);
  for (int index = blockIdx.x; index < table.chunks; index += gridDim.x) {
    Count before = tiesBefore[index];
    const Count after = tiesBefore[index + 1];
    if (after == before || after <= ties) continue;
    const Chunk chunk = table.chunk(index);
    const Source<E> source = table.slots[chunk.slot].entry;
    for (int64_t first = chunk.begin; first < chunk.end; first += blockDim.x) {
      const int64_t i = first + threadIdx.x;
      const bool isTie = i < chunk.end && Keys<E>::of(source.values[i]) == threshold;
      unsigned all = 0;
      const Count place = before + countBefore(isTie, all);
      if (isTie && place >= ties) source.kept[i] = true;
      before += all;
    }
  }
}

template <class E>
__global__ void __launch_bounds__(kThreads)
    countBelowKernel(const __grid_constant__ SourceTable<E> table, Count key, Count* counts) {
  for (int index = blockIdx.x; index < table.chunks; index += gridDim.x) {
    const Chunk chunk = table.chunk(index);
    const E* values = table.slots[chunk.slot].entry.values;
    int below = 0;
    for (int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += blockDim.x) {
      below += Keys<E>::of(values[i]) < key ? 1 : 0;
    }
    double ofBlock[1] = {static_cast<double>(below)};
    addOverBlock(ofBlock);
    if (threadIdx.x == 0) {
      atomicAdd(&counts[table.slots[chunk.slot].tensor], static_cast<Count>(ofBlock[0]));
    }
  }
}

__global__ void clearNotANumber(Search* search) { search->notANumber = Search::kNone; }

// A thread finds the rank of one element among its m neighbours, which the cache has.
template <class E>
__global__ void __launch_bounds__(kThreads)
    keepNOfMKernel(const __grid_constant__ SourceTable<E> table, int64_t n, int64_t m, Search* search) {
  using Key = typename Keys<E>::Key;
  for (int index = blockIdx.x; index < table.chunks; index += gridDim.x) {
    const Chunk chunk = table.chunk(index);
    const Source<E> source = table.slots[chunk.slot].entry;
    bool isBad = false;
    for (int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += blockDim.x) {
      const Key key = Keys<E>::of(source.values[i]);
      isBad = isBad || key > Keys<E>::kInfinity;
      const int64_t group = i / m * m;
      int64_t higher = 0;
      for (int64_t j = group; j < group + m; ++j) {
        const Key other = Keys<E>::of(source.values[j]);
        higher += other > key || (other == key && j > i) ? 1 : 0;
      }
      source.kept[i] = higher < n;
    }
    if (isBad) atomicMin(&search->notANumber, static_cast<Count>(table.slots[chunk.slot].tensor));
  }
}

template <class E, class Body>
void forEachSourceTable(const Tensors<E>& tensors, const Body& body) {
  const auto sourceOf = [&](int64_t i) {
    return Source<E>{tensors.values[i], tensors.kept.empty() ? nullptr : tensors.kept[i]};
  };
  forEachTable<Source<E>>(tensors.sizes.data(), static_cast<int64_t>(tensors.sizes.size()), sourceOf, body);
}

template <class E>
void findKey(const Tensors<E>& tensors, int64_t rank, Search* search, Count* histogram, Stream stream) {
  launch(beginSearch, 1, stream, search, static_cast<Count>(rank), histogram);
  for (int shift = Keys<E>::kBits; shift > 0;) {
    const int bits = shift < kDigitBits ? shift : kDigitBits;
    shift -= bits;
    forEachSourceTable(tensors, [&](const SourceTable<E>& table, int64_t) {
      const int64_t blocks = table.chunks < kHistogramBlocks ? table.chunks : kHistogramBlocks;
      launch(countDigits<E>, blocks, stream, table, search, shift, bits, histogram);
    });
    launch(chooseDigit, 1, stream, search, shift, bits, histogram);
  }
}

template <class E>
void cutLowest(const Tensors<E>& tensors, int64_t cut, const Search* search, Count* ties, Stream stream) {
  const auto count = static_cast<Count>(cut);
  int64_t chunks = 0;
  forEachSourceTable(tensors, [&](const SourceTable<E>& table, int64_t before) {
    launch(writeMasks<E>, table.chunks, stream, table, search, count, ties + before);
    chunks = before + table.chunks;
  });
  if (chunks == 0) return;
  launch(sumBefore, 1, stream, ties, chunks);
  forEachSourceTable(tensors, [&](const SourceTable<E>& table, int64_t before) {
    launch(keepLaterTies<E>, table.chunks, stream, table, search, count, ties + before);
  });
}

template <class E>
void countBelow(const Tensors<E>& tensors, Count key, Count* counts, Stream stream) {
  forEachSourceTable(tensors, [&](const SourceTable<E>& table, int64_t) {
    launch(countBelowKernel<E>, table.chunks, stream, table, key, counts);
  });
}

template <class E>
void keepNOfM(const Tensors<E>& tensors, int64_t n, int64_t m, Search* search, Stream stream) {
  launch(clearNotANumber, 1, stream, search);
  forEachSourceTable(tensors, [&](const SourceTable<E>& table, int64_t) {
    launch(keepNOfMKernel<E>, table.chunks, stream, table, n, m, search);
  });
}

}  // namespace espalier::kernels::cuda
