#pragma once

#include <cstdint>

#include "kernels/math.h"

// Many tensors in one launch: a table that travels by value with the kernel's parameters, so that nothing is
// copied to the device before. A tensor is cut into chunks, and the chunks of a table are numbered through.
namespace espalier::kernels::cuda {

constexpr int64_t kChunk = 8192;
// CUDA's limit on the parameters of a kernel is 4096 bytes; the others have what is left.
constexpr int kTableBytes = 3968;

ESPALIER_INLINE int64_t chunksOf(int64_t size) { return (size + kChunk - 1) / kChunk; }

struct Chunk {
  int slot;
  int64_t begin;
  int64_t end;
};

template <class Entry>
struct Table {
  struct Slot {
    Entry entry;
    int64_t size;
    int32_t firstChunk;
    int32_t tensor;  // its index among all tensors
  };
  static constexpr int kMost = static_cast<int>((kTableBytes - 2 * sizeof(int64_t)) / sizeof(Slot));

  int32_t count = 0;
  int32_t chunks = 0;
  Slot slots[kMost];

  ESPALIER_INLINE Chunk chunk(int32_t index) const {
    int low = 0;
    int high = count - 1;
    while (low < high) {
      const int middle = (low + high + 1) / 2;
      if (slots[middle].firstChunk <= index) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    const int64_t begin = (index - slots[low].firstChunk) * kChunk;
    const int64_t end = begin + kChunk;
    return {low, begin, end < slots[low].size ? end : slots[low].size};
  }
};

// Calls body(table, chunks of the tables before) for as many tables as the tensors need. An empty tensor has
// no slot.
template <class Entry, class EntryOf, class Body>
void forEachTable(const int64_t* sizes, int64_t count, const EntryOf& entryOf, const Body& body) {
  static_assert(sizeof(Table<Entry>) <= kTableBytes);
  Table<Entry> table;
  int64_t before = 0;
  const auto flush = [&] {
    if (table.count == 0) return;
    body(static_cast<const Table<Entry>&>(table), before);
    before += table.chunks;
    table.count = 0;
    table.chunks = 0;
  };
  for (int64_t i = 0; i < count; ++i) {
    if (sizes[i] == 0) continue;
    table.slots[table.count++] = {entryOf(i), sizes[i], table.chunks, static_cast<int32_t>(i)};
    table.chunks += static_cast<int32_t>(chunksOf(sizes[i]));
    if (table.count == Table<Entry>::kMost) flush();
  }
  flush();
}

}  // namespace espalier::kernels::cuda
