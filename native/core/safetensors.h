#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "core/value.h"

// The safetensors format (github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON
// header { name: { dtype, shape, data_offsets }, __metadata__ }, then the bytes of the tensors.
namespace espalier {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;                   // as the file spells it
  std::optional<at::ScalarType> type;  // none where it is not one of torch's that we know
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // in the file
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;  // in the order of the header
  Value metadata = Value::Map{};
};

// What is wrong with a header; whoever reads the file words it.
struct SafetensorsFault : std::exception {
  SafetensorsFault(uint64_t at, std::string expectedThere, std::string foundThere)
      : offset(at), expected(std::move(expectedThere)), found(std::move(foundThere)) {}
  const char* what() const noexcept override { return expected.c_str(); }
  uint64_t offset;
  std::string expected;
  std::string found;
};

// Of a whole file. Strict: every byte behind a header of at most `maxHeader` bytes belongs to exactly one
// tensor, and each tensor of a known type has as many as its shape takes; otherwise SafetensorsFault.
SafetensorsHeader parseSafetensorsHeader(std::string_view file, uint64_t maxHeader);

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// Tensors are written contiguous, from the CPU, and given to `sink` piece by piece. Metadata values are
// strings.
void writeSafetensors(const NamedTensors& tensors, const Value& metadata,
                      const std::function<void(std::string_view)>& sink);
std::string writeSafetensors(const NamedTensors& tensors, const Value& metadata);

struct SafetensorsFile {
  NamedTensors tensors;  // copies, in the order of the header
  Value metadata = Value::Map{};
};
// ERR_CHECKPOINT_INVALID, whose message begins with `what`.
SafetensorsFile readSafetensors(std::string_view bytes, std::string_view what);

}  // namespace espalier
