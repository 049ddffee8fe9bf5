#include "core/data/array_file.h"
#include "core/error.h"

namespace espalier {

namespace {

constexpr size_t kMagicBytes = 4;
constexpr int kMaxRank = 4;

at::ScalarType typeOf(uint8_t code) {
  switch (code) {
    case 0x08:
      return at::kByte;
    case 0x09:
      return at::kChar;
    case 0x0B:
      return at::kShort;
    case 0x0C:
      return at::kInt;
    case 0x0D:
      return at::kFloat;
    case 0x0E:
      return at::kDouble;
    default:
      return at::ScalarType::Undefined;
  }
}

uint32_t readBigEndian(const uint8_t* data) {
  return uint32_t{data[0]} << 24 | uint32_t{data[1]} << 16 | uint32_t{data[2]} << 8 | data[3];
}

}  // namespace

bool isIdx(std::span<const uint8_t> bytes) {
  return bytes.size() >= kMagicBytes && bytes[0] == 0 && bytes[1] == 0 &&
         typeOf(bytes[2]) != at::ScalarType::Undefined && bytes[3] >= 1 && bytes[3] <= kMaxRank;
}

Array parseIdx(const MappedFilePtr& file) {
  const auto bytes = file->bytes();
  const uint64_t rank = bytes[3];
  const uint64_t header = kMagicBytes + 4 * rank;
  if (bytes.size() < header) {
    failData(file->path(), kMagicBytes,
             {text(rank, " sizes of 4 bytes each"), text(bytes.size() - kMagicBytes, " bytes"),
              "Copy or download the file again"});
  }
  Array array{
      .file = file, .name = "", .type = typeOf(bytes[2]), .bigEndian = true, .shape = {}, .offset = header};
  for (uint64_t i = 0; i < rank; ++i)
    array.shape.push_back(readBigEndian(bytes.data() + kMagicBytes + 4 * i));
  const uint64_t size = countBytes(*file, kMagicBytes, array.shape, array.elementBytes());
  requireRest(*file, header, size, text("IDX ", shapeText(array.shape), " of ", c10::toString(array.type)));
  return array;
}

}  // namespace espalier
