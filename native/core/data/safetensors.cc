#include "core/safetensors.h"

#include <algorithm>

#include "core/data/array_file.h"
#include "core/error.h"

namespace espalier {

namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = 1 << 20;  // a dataset's file holds few tensors

bool isSampleType(at::ScalarType type) {
  return type == at::kFloat || at::isIntegralType(type, /*includeBool=*/false);
}

Array arrayOf(const MappedFilePtr& file, const SafetensorsHeader& header, const std::string& name) {
  std::string names;
  for (const SafetensorsEntry& entry : header.tensors) {
    if (entry.name != name) {
      names += text(names.empty() ? "" : ", ", entry.name);
      continue;
    }
    if (!entry.type || !isSampleType(*entry.type)) {
      failData(file->path(), kLengthBytes,
               {text("U8, F32, I32 or I64 samples and integer labels for tensor ", name), entry.dtype,
                "Convert the tensor"});
    }
    return {.file = file,
            .name = name,
            .type = *entry.type,
            .bigEndian = false,
            .shape = entry.shape,
            .offset = entry.begin};
  }
  failData(file->path(), kLengthBytes,
           {"tensors named images and labels", names.empty() ? "none" : names, "Rename the tensors"});
}

}  // namespace

bool isSafetensors(std::span<const uint8_t> bytes) {
  return bytes.size() > kLengthBytes && bytes[kLengthBytes] == '{';
}

std::pair<Array, Array> parseSafetensors(const MappedFilePtr& file) {
  const auto bytes = file->bytes();
  try {
    const SafetensorsHeader header =
        parseSafetensorsHeader({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kMaxHeader);
    return {arrayOf(file, header, "images"), arrayOf(file, header, "labels")};
  } catch (const SafetensorsFault& fault) {
    failData(file->path(), fault.offset, {fault.expected, fault.found, "Copy or download the file again"});
  }
}

}  // namespace espalier
