#include "core/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"

namespace espalier {

namespace {

constexpr size_t kLengthBytes = 8;
static_assert(std::endian::native == std::endian::little);

using DtypeName = std::pair<at::ScalarType, std::string_view>;
constexpr std::array<DtypeName, 10> kDtypes = {{{at::kBool, "BOOL"},
                                                {at::kByte, "U8"},
                                                {at::kChar, "I8"},
                                                {at::kShort, "I16"},
                                                {at::kInt, "I32"},
                                                {at::kLong, "I64"},
                                                {at::kHalf, "F16"},
                                                {at::kBFloat16, "BF16"},
                                                {at::kFloat, "F32"},
                                                {at::kDouble, "F64"}}};

std::string_view dtypeName(at::ScalarType type) {
  for (const DtypeName& entry : kDtypes) {
    if (entry.first == type) return entry.second;
  }
  fail(ErrorCode::kInternal, "tensors of type ", c10::toString(type), " cannot be written as safetensors");
}

std::optional<at::ScalarType> dtypeNamed(std::string_view name) {
  for (const DtypeName& entry : kDtypes) {
    if (entry.second == name) return entry.first;
  }
  return std::nullopt;
}

int64_t countBytes(const SafetensorsEntry& entry, at::ScalarType type) {
  auto bytes = static_cast<int64_t>(c10::elementSize(type));
  for (const int64_t size : entry.shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes))
      throw SafetensorsFault(kLengthBytes, text("a shape of fewer than 2^63 bytes for tensor ", entry.name),
                             text(size, " in it"));
  }
  return bytes;
}

SafetensorsEntry parseEntry(const std::string& name, const Value& value, uint64_t dataAt) {
  SafetensorsEntry entry;
  entry.name = name;
  entry.dtype = value.at("dtype").asString();
  entry.type = dtypeNamed(entry.dtype);
  for (const Value& size : value.at("shape").asList()) entry.shape.push_back(size.asInt());
  const Value::List& offsets = value.at("data_offsets").asList();
  const bool ordered =
      offsets.size() == 2 && offsets[0].asInt() >= 0 && offsets[1].asInt() >= offsets[0].asInt();
  if (!ordered) {
    throw SafetensorsFault(kLengthBytes,
                           text("data_offsets [begin, end] of tensor ", name, " with begin <= end"),
                           toJson(value.at("data_offsets")));
  }
  entry.begin = dataAt + static_cast<uint64_t>(offsets[0].asInt());
  entry.end = dataAt + static_cast<uint64_t>(offsets[1].asInt());
  if (!entry.type) return entry;
  const auto bytes = static_cast<uint64_t>(countBytes(entry, *entry.type));
  if (const uint64_t length = entry.end - entry.begin; bytes != length)
    throw SafetensorsFault(entry.begin, text(bytes, " bytes of tensor ", name), text(length));
  return entry;
}

void requireNoHoles(std::vector<SafetensorsEntry> entries, uint64_t dataAt, uint64_t fileBytes) {
  std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t at = dataAt;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin != at) {
      throw SafetensorsFault(kLengthBytes,
                             text("tensors without holes or overlap (one that begins at byte ", at, ")"),
                             text(entry.begin));
    }
    at = entry.end;
  }
  if (at != fileBytes) {
    throw SafetensorsFault(
        dataAt, text(at - dataAt, " bytes (the data of all tensors)"),
        text(fileBytes - dataAt, fileBytes < at ? " (the file is cut short)" : " (bytes trail)"));
  }
}

}  // namespace

SafetensorsHeader parseSafetensorsHeader(std::string_view file, uint64_t maxHeader) {
  uint64_t length = 0;
  if (file.size() < kLengthBytes)
    throw SafetensorsFault(0, "the 8 bytes of a header's length", text(file.size()));
  std::memcpy(&length, file.data(), kLengthBytes);
  const uint64_t most = std::min<uint64_t>(file.size() - kLengthBytes, maxHeader);
  if (length > most) throw SafetensorsFault(0, text("a header of at most ", most, " bytes"), text(length));
  const uint64_t dataAt = kLengthBytes + length;
  SafetensorsHeader header;
  try {
    const Value json = parseJson(file.substr(kLengthBytes, length), "safetensors header");
    for (const auto& [name, value] : json.asMap()) {
      if (name == "__metadata__") {
        header.metadata = value.asMap();
      } else {
        header.tensors.push_back(parseEntry(name, value, dataAt));
      }
    }
  } catch (const Error& error) {
    // No JSON, or a field that is missing or of another kind.
    throw SafetensorsFault(kLengthBytes, "a safetensors header", error.message());
  }
  requireNoHoles(header.tensors, dataAt, file.size());
  return header;
}

void writeSafetensors(const NamedTensors& tensors, const Value& metadata,
                      const std::function<void(std::string_view)>& sink) {
  Value::Map header{{"__metadata__", metadata}};
  std::vector<at::Tensor> contiguous;
  int64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    contiguous.push_back(tensor.detach().cpu().contiguous());
    const auto bytes = static_cast<int64_t>(contiguous.back().nbytes());
    Value::List shape;
    for (const int64_t size : tensor.sizes()) shape.emplace_back(size);
    header.emplace_back(name, Value::Map{{"dtype", dtypeName(tensor.scalar_type())},
                                         {"shape", std::move(shape)},
                                         {"data_offsets", Value::List{offset, offset + bytes}}});
    offset += bytes;
  }
  std::string json = toJson(Value(std::move(header)));
  json.append((kLengthBytes - json.size() % kLengthBytes) % kLengthBytes, ' ');
  const uint64_t length = json.size();
  sink({reinterpret_cast<const char*>(&length), kLengthBytes});
  sink(json);
  for (const at::Tensor& tensor : contiguous)
    sink({static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
}

std::string writeSafetensors(const NamedTensors& tensors, const Value& metadata) {
  std::string out;
  size_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += tensor.nbytes();
  out.reserve(bytes);
  writeSafetensors(tensors, metadata, [&](std::string_view piece) { out += piece; });
  return out;
}

SafetensorsFile readSafetensors(std::string_view bytes, std::string_view what) {
  try {
    SafetensorsHeader header = parseSafetensorsHeader(bytes, std::numeric_limits<uint64_t>::max());
    SafetensorsFile file;
    file.metadata = std::move(header.metadata);
    for (const SafetensorsEntry& entry : header.tensors) {
      if (!entry.type)
        throw SafetensorsFault(kLengthBytes, text("a known dtype for tensor ", entry.name), entry.dtype);
      const at::Tensor tensor = torch::empty(entry.shape, *entry.type);
      const std::string_view data = bytes.substr(entry.begin, entry.end - entry.begin);
      if (!data.empty()) std::memcpy(tensor.mutable_data_ptr(), data.data(), data.size());
      file.tensors.emplace_back(entry.name, tensor);
    }
    return file;
  } catch (const SafetensorsFault& fault) {
    fail(ErrorCode::kCheckpointInvalid, what, " is not a whole file: expected ", fault.expected, " at byte ",
         fault.offset, ", found ", fault.found, "; it may be torn or damaged");
  }
}

}  // namespace espalier
