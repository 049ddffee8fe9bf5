#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

#include "core/data/mapped_file.h"

// The formats that hold whole arrays. A parser checks every number of a header against the file before it is
// used, so that an Array's bytes are all there; ERR_DATA_INVALID otherwise.
namespace espalier {

// An array inside a file.
struct Array {
  MappedFilePtr file;
  std::string name;  // of the tensor inside the file; empty where the file holds one
  at::ScalarType type = at::kByte;
  bool bigEndian = false;
  std::vector<int64_t> shape;
  uint64_t offset = 0;  // of the first element

  const uint8_t* data() const { return file->bytes().data() + offset; }
  int64_t count() const;  // elements
  int64_t elementBytes() const;
  // "labels.npy", or "data.safetensors (tensor labels)"
  std::string title() const;
};

bool isIdx(std::span<const uint8_t> bytes);
bool isNpy(std::span<const uint8_t> bytes);
bool isSafetensors(std::span<const uint8_t> bytes);

// http://yann.lecun.com/exdb/mnist: a magic number, sizes, elements, all big-endian.
Array parseIdx(const MappedFilePtr& file);
// numpy.lib.format versions 1 to 3, little-endian, C order.
Array parseNpy(const MappedFilePtr& file);
// Tensors without holes between them; the two arrays named `images` and `labels`.
std::pair<Array, Array> parseSafetensors(const MappedFilePtr& file);

// The bytes of `shape`; refuses what does not fit 63 bits. `offset` is where the file states the shape.
uint64_t countBytes(const MappedFile& file, uint64_t offset, const std::vector<int64_t>& shape,
                    int64_t elementBytes);
// That exactly `bytes` follow `offset` in the file: neither fewer nor more.
void requireRest(const MappedFile& file, uint64_t offset, uint64_t bytes, const std::string& what);
// "[60000, 28, 28]"
std::string shapeText(const std::vector<int64_t>& shape);

template <class T>
T readLittleEndian(const uint8_t* data) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value | static_cast<T>(T{data[i]} << (8 * i)));
  return value;
}

}  // namespace espalier
