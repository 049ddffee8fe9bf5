#include "core/data/array_file.h"
#include "core/error.h"

namespace espalier {

namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = 1 << 20;  // a dataset's file holds few tensors

std::optional<at::ScalarType> typeOf(const std::string& name) {
  if (name == "U8") return at::kByte;
  if (name == "I8") return at::kChar;
  if (name == "I16") return at::kShort;
  if (name == "I32") return at::kInt;
  if (name == "I64") return at::kLong;
  if (name == "F32") return at::kFloat;
  return std::nullopt;
}

struct Extent {
  uint64_t begin;
  uint64_t end;
};

Extent extentOf(const Value& entry) {
  const auto& offsets = entry.at("data_offsets").asList();
  if (offsets.size() != 2 || offsets[0].asInt() < 0 || offsets[1].asInt() < offsets[0].asInt()) {
    fail(ErrorCode::kInvalidArgType, "expected data_offsets [begin, end] with begin <= end");
  }
  return {static_cast<uint64_t>(offsets[0].asInt()), static_cast<uint64_t>(offsets[1].asInt())};
}

// Every byte of the data belongs to exactly one tensor.
void requireNoHoles(const MappedFile& file, uint64_t dataAt, std::vector<Extent> extents) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t at = 0;
  for (const Extent& extent : extents) {
    if (extent.begin != at) {
      failData(
          file.path(), kLengthBytes,
          {text("tensors without holes or overlap (one that begins at ", at, ")"), text(extent.begin), ""});
    }
    at = extent.end;
  }
  requireRest(file, dataAt, at, "the data of all tensors");
}

Array arrayOf(const MappedFilePtr& file, const Value& header, const std::string& name, uint64_t dataAt) {
  const Value* entry = header.find(name);
  if (entry == nullptr) {
    std::string names;
    for (const auto& [other, value] : header.asMap()) names += text(names.empty() ? "" : ", ", other);
    failData(file->path(), kLengthBytes,
             {"tensors named images and labels", names.empty() ? "none" : names, "Rename the tensors"});
  }
  const std::string& type = entry->at("dtype").asString();
  const auto known = typeOf(type);
  if (!known) {
    failData(file->path(), kLengthBytes,
             {text("U8, F32, I32 or I64 samples and integer labels for tensor ", name), type,
              "Convert the tensor"});
  }
  const Extent extent = extentOf(*entry);
  Array array{.file = file,
              .name = name,
              .type = *known,
              .bigEndian = false,
              .shape = {},
              .offset = dataAt + extent.begin};
  for (const Value& size : entry->at("shape").asList()) {
    if (size.asInt() < 0) fail(ErrorCode::kInvalidArgType, "expected sizes of at least 0 for shape");
    array.shape.push_back(size.asInt());
  }
  const uint64_t bytes = countBytes(*file, kLengthBytes, array.shape, array.elementBytes());
  if (bytes != extent.end - extent.begin) {
    failData(file->path(), array.offset,
             {text(bytes, " bytes of tensor ", name, " ", shapeText(array.shape)),
              text(extent.end - extent.begin), ""});
  }
  return array;
}

}  // namespace

bool isSafetensors(std::span<const uint8_t> bytes) {
  return bytes.size() > kLengthBytes && bytes[kLengthBytes] == '{';
}

std::pair<Array, Array> parseSafetensors(const MappedFilePtr& file) {
  const auto bytes = file->bytes();
  const auto length = readLittleEndian<uint64_t>(bytes.data());
  const uint64_t rest = bytes.size() - kLengthBytes;
  if (length > rest || length > kMaxHeader) {
    failData(file->path(), 0,
             {text("a header of at most ", std::min(rest, kMaxHeader), " bytes"), text(length),
              "Copy or download the file again"});
  }
  const std::string_view source(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  Value header = parseJson(source, text(file->path(), " (safetensors header)"));
  const uint64_t dataAt = kLengthBytes + length;
  try {
    std::vector<Extent> extents;
    Value::Map tensors;
    for (const auto& [name, entry] : header.asMap()) {
      if (name == "__metadata__") continue;
      extents.push_back(extentOf(entry));
      tensors.emplace_back(name, entry);
    }
    requireNoHoles(*file, dataAt, std::move(extents));
    const Value named(std::move(tensors));
    return {arrayOf(file, named, "images", dataAt), arrayOf(file, named, "labels", dataAt)};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kDataInvalid) throw;
    // A field of the header that is missing or of another kind.
    failData(file->path(), kLengthBytes, {"a safetensors header", error.message(), ""});
  }
}

}  // namespace espalier
