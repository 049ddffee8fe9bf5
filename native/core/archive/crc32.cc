#include "core/archive/crc32.h"

#include <array>
#include <cstring>

namespace espalier {
namespace {

// Sixteen bytes a step: a weight file is read at memory speed instead of a byte a time.
constexpr size_t kSlices = 16;
using Tables = std::array<std::array<uint32_t, 256>, kSlices>;

constexpr Tables makeTables() {
  Tables tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0);
    tables[0][i] = value;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (size_t i = 0; i < 256; ++i) {
      const uint32_t value = tables[slice - 1][i];
      tables[slice][i] = (value >> 8) ^ tables[0][value & 0xFF];
    }
  }
  return tables;
}

constexpr Tables kTables = makeTables();

}  // namespace

uint32_t crc32(uint32_t crc, const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (; size >= kSlices; size -= kSlices, bytes += kSlices) {
    std::array<uint32_t, 4> words;
    std::memcpy(words.data(), bytes, kSlices);
    words[0] ^= crc;
    crc = 0;
    for (size_t word = 0; word < 4; ++word) {
      for (size_t byte = 0; byte < 4; ++byte) {
        crc ^= kTables[kSlices - 1 - (word * 4 + byte)][(words[word] >> (8 * byte)) & 0xFF];
      }
    }
  }
  for (; size > 0; --size, ++bytes) crc = (crc >> 8) ^ kTables[0][(crc ^ *bytes) & 0xFF];
  return ~crc;
}

}  // namespace espalier
