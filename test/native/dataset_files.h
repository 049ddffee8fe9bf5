#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <unistd.h>
#include <vector>

#include "core/data/dataset.h"

// Small data files of every format, made byte by byte.
namespace espalier::test {

using Bytes = std::string;

// A folder that is removed at the end of its test.
class DataFolder {
 public:
  DataFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "espalier-data-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~DataFolder() { std::filesystem::remove_all(path_); }
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const Bytes& bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

template <class T>
Bytes littleEndian(T value) {
  Bytes out;
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  return out;
}

inline Bytes bigEndian(uint32_t value) {
  Bytes out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

inline Bytes idx(uint8_t type, const std::vector<uint32_t>& shape, const Bytes& data) {
  Bytes out{'\0', '\0', static_cast<char>(type), static_cast<char>(shape.size())};
  for (const uint32_t size : shape) out += bigEndian(size);
  return out + data;
}

inline Bytes npy(const std::string& type, const std::string& shape, const Bytes& data, int version = 1,
                 bool fortran = false) {
  Bytes header = "{'descr': '" + type + "', 'fortran_order': " + (fortran ? "True" : "False") +
                 ", 'shape': " + shape + ", }";
  const size_t before = version == 1 ? 10 : 12;
  header.append(63 - (before + header.size()) % 64, ' ');
  header += '\n';
  const Bytes length = version == 1 ? littleEndian<uint16_t>(static_cast<uint16_t>(header.size()))
                                    : littleEndian<uint32_t>(static_cast<uint32_t>(header.size()));
  return Bytes("\x93NUMPY") + static_cast<char>(version) + '\0' + length + header + data;
}

inline Bytes safetensors(const std::string& header, const Bytes& data) {
  return littleEndian<uint64_t>(header.size()) + header + data;
}

// `count` bytes that differ.
inline Bytes pattern(size_t count, unsigned seed = 0) {
  Bytes out;
  for (size_t i = 0; i < count; ++i) out += static_cast<char>((i * 31 + i / 97 * 17 + seed) & 0xFF);
  return out;
}

inline Bytes labelBytes(size_t count, int classes) {
  Bytes out;
  for (size_t i = 0; i < count; ++i) out += static_cast<char>(i % static_cast<size_t>(classes));
  return out;
}

inline Bytes cifar(size_t records, size_t labelCount) {
  Bytes out;
  for (size_t i = 0; i < records; ++i) {
    for (size_t j = 0; j < labelCount; ++j) out += static_cast<char>((i + j) % 10);
    out += pattern(3072, static_cast<unsigned>(i));
  }
  return out;
}

inline at::Tensor range(int64_t begin, int64_t end) { return at::arange(begin, end, at::kLong); }

// n different uint8 images [1, size, size] with labels i % classes.
inline DatasetPtr toyImages(int64_t n, int64_t size = 6, int64_t classes = 3) {
  at::Tensor images = at::arange(n * size * size, at::kLong)
                          .mul(37)
                          .add(at::arange(n * size * size, at::kLong).div(251, "floor"))
                          .remainder(256)
                          .to(at::kByte);
  return Dataset::fromTensors(images.view({n, 1, size, size}), range(0, n).remainder(classes), classes);
}

}  // namespace espalier::test
