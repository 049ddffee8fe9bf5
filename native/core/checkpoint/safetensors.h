#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "core/value.h"

namespace espalier {

// The safetensors format (github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON
// header { name: { dtype, shape, data_offsets }, __metadata__ }, then the bytes of the tensors.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// Tensors are written contiguous, from the CPU. Metadata values are strings.
std::string writeSafetensors(const NamedTensors& tensors, const Value& metadata);

struct SafetensorsFile {
  NamedTensors tensors;  // copies, in the order of the header
  Value metadata = Value::Map{};
};
// Strict: every offset is checked against the bytes; ERR_CHECKPOINT_INVALID, whose message
// begins with `what`.
SafetensorsFile readSafetensors(std::string_view bytes, std::string_view what);

}  // namespace espalier
