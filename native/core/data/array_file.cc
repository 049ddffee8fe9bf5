#include "core/data/array_file.h"

#include <limits>

#include <c10/core/ScalarType.h>

#include "core/error.h"

namespace espalier {

int64_t Array::count() const {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

int64_t Array::elementBytes() const { return static_cast<int64_t>(c10::elementSize(type)); }

std::string Array::title() const {
  return name.empty() ? file->path() : text(file->path(), " (tensor ", name, ")");
}

uint64_t countBytes(const MappedFile& file, uint64_t offset, const std::vector<int64_t>& shape,
                    int64_t elementBytes) {
  int64_t product = elementBytes;
  bool overflow = false;
  for (const int64_t size : shape) overflow |= __builtin_mul_overflow(product, size, &product);
  if (overflow) {
    failData(file.path(), offset, {"a shape of fewer than 2^63 bytes", shapeText(shape), ""});
  }
  return static_cast<uint64_t>(product);
}

void requireRest(const MappedFile& file, uint64_t offset, uint64_t bytes, const std::string& what) {
  const uint64_t size = file.bytes().size();
  const uint64_t rest = size < offset ? 0 : size - offset;
  if (rest == bytes) return;
  failData(file.path(), offset,
           {text(bytes, " bytes (", what, ")"),
            text(rest, rest < bytes ? " (the file is cut short)" : " (bytes trail)"),
            "Copy or download the file again"});
}

std::string shapeText(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += text(i == 0 ? "" : ", ", shape[i]);
  return out + "]";
}

}  // namespace espalier
