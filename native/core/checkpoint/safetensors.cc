#include "core/checkpoint/safetensors.h"

#include <array>
#include <cstring>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"

namespace espalier {

namespace {

struct DtypeName {
  at::ScalarType type;
  std::string_view name;
};
constexpr std::array<DtypeName, 9> kDtypes = {{{at::kBool, "BOOL"},
                                               {at::kByte, "U8"},
                                               {at::kChar, "I8"},
                                               {at::kShort, "I16"},
                                               {at::kInt, "I32"},
                                               {at::kLong, "I64"},
                                               {at::kHalf, "F16"},
                                               {at::kFloat, "F32"},
                                               {at::kDouble, "F64"}}};
constexpr std::string_view kBfloat16 = "BF16";
constexpr size_t kLengthBytes = 8;

std::string_view dtypeName(at::ScalarType type) {
  if (type == at::kBFloat16) return kBfloat16;
  for (const DtypeName& entry : kDtypes) {
    if (entry.type == type) return entry.name;
  }
  fail(ErrorCode::kInternal, "tensors of type ", c10::toString(type), " cannot be written as safetensors");
}

}  // namespace

std::string writeSafetensors(const NamedTensors& tensors, const Value& metadata) {
  Value header = Value::Map{};
  header.set("__metadata__", metadata);
  std::vector<at::Tensor> contiguous;
  int64_t offset = 0;
  Value::Map entries = header.asMap();
  for (const auto& [name, tensor] : tensors) {
    contiguous.push_back(tensor.detach().cpu().contiguous());
    const auto bytes = static_cast<int64_t>(contiguous.back().nbytes());
    Value::List shape;
    for (const int64_t size : tensor.sizes()) shape.emplace_back(size);
    entries.emplace_back(name, Value::Map{{"dtype", dtypeName(tensor.scalar_type())},
                                          {"shape", std::move(shape)},
                                          {"data_offsets", Value::List{offset, offset + bytes}}});
    offset += bytes;
  }
  std::string json = toJson(Value(std::move(entries)));
  json.append((kLengthBytes - json.size() % kLengthBytes) % kLengthBytes, ' ');
  std::string out;
  out.reserve(kLengthBytes + json.size() + static_cast<size_t>(offset));
  const uint64_t length = json.size();
  out.append(reinterpret_cast<const char*>(&length), kLengthBytes);
  out += json;
  for (const at::Tensor& tensor : contiguous) {
    out.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
  }
  return out;
}

namespace {

[[noreturn]] void damaged(std::string_view what, const std::string& expected) {
  fail(ErrorCode::kCheckpointInvalid, what, " is not a whole file: expected ", expected,
       "; it may be torn or damaged, use an older one");
}

at::Tensor readTensor(const Value& entry, std::string_view data, std::string_view what,
                      const std::string& name) {
  const std::string& dtype = entry.at("dtype").asString();
  at::ScalarType type = at::kBFloat16;
  if (dtype != kBfloat16) {
    const auto* const found = std::find_if(
        kDtypes.begin(), kDtypes.end(), [&](const DtypeName& candidate) { return candidate.name == dtype; });
    if (found == kDtypes.end()) damaged(what, text("a known dtype for ", name, ", found ", dtype));
    type = found->type;
  }
  std::vector<int64_t> shape;
  int64_t bytes = static_cast<int64_t>(c10::elementSize(type));
  for (const Value& size : entry.at("shape").asList()) {
    shape.push_back(size.asInt());
    if (shape.back() < 0 || __builtin_mul_overflow(bytes, shape.back(), &bytes))
      damaged(what, text("a valid shape for ", name));
  }
  const Value::List& offsets = entry.at("data_offsets").asList();
  if (offsets.size() != 2) damaged(what, text("two offsets for ", name));
  const int64_t begin = offsets[0].asInt();
  const int64_t end = offsets[1].asInt();
  if (begin < 0 || end < begin || end > static_cast<int64_t>(data.size()) || end - begin != bytes) {
    damaged(what, text(bytes, " bytes for ", name, " inside the ", data.size(),
                       " that there are, found offsets ", begin, " to ", end));
  }
  at::Tensor tensor = torch::empty(shape, type);
  if (bytes > 0) std::memcpy(tensor.mutable_data_ptr(), data.data() + begin, static_cast<size_t>(bytes));
  return tensor;
}

}  // namespace

SafetensorsFile readSafetensors(std::string_view bytes, std::string_view what) {
  uint64_t length = 0;
  if (bytes.size() < kLengthBytes) damaged(what, "a header");
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > bytes.size() - kLengthBytes) damaged(what, text("a header of ", length, " bytes"));
  const std::string_view data = bytes.substr(kLengthBytes + length);
  SafetensorsFile file;
  try {
    const Value header = parseJson(bytes.substr(kLengthBytes, length), what);
    for (const auto& [name, entry] : header.asMap()) {
      if (name == "__metadata__") {
        file.metadata = entry;
      } else {
        file.tensors.emplace_back(name, readTensor(entry, data, what, name));
      }
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCheckpointInvalid) throw;
    damaged(what, text("a valid header: ", error.message()));
  }
  return file;
}

}  // namespace espalier
