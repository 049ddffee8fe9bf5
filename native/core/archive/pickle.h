#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What a pickle of TorchScript would build, found without building it.
namespace espalier {

struct PickleNode {
  enum class Kind : uint8_t {
    kAtom,     // None, bool, float, complex, device
    kInt,      // value
    kString,   // value: index into texts
    kTuple,    // value: index into lists
    kList,     // likewise
    kDict,     // likewise: key, value, key, value, ...
    kGlobal,   // value: index into texts, "module\nname"
    kObject,   // value: index into lists: [class (kGlobal), state]
    kStorage,  // value: index into lists: [element type (kGlobal), numel]
    kTensor,
  };
  Kind kind = Kind::kAtom;
  int64_t value = 0;
};

struct Pickle {
  std::vector<PickleNode> nodes;
  std::vector<std::vector<uint32_t>> lists;
  std::vector<std::string_view> texts;  // into the bytes
  std::vector<uint32_t> classes;        // texts of the classes it asks for, in order
  uint32_t root = 0;

  const std::vector<uint32_t>& children(const PickleNode& node) const {
    return lists[static_cast<size_t>(node.value)];
  }
  // "__torch__.module.Class" of a kGlobal.
  std::string className(uint32_t global) const;
};

struct PickleLimits {
  std::string where;  // for messages: the file and the record
  // Bytes of the record that holds a storage's data; none when absent.
  std::function<std::optional<uint64_t>(std::string_view key)> storageBytes;
};

// Walks the opcodes that libtorch's unpickler knows, with its stack, and refuses (ERR_MODEL_LOAD) what would
// make it crash: deep or cyclic nesting, shared structure that unfolds without end, absurd memo indices,
// globals that it does not expect, storages larger than their record, sizes and strides outside of it.
Pickle scanPickle(std::string_view bytes, const PickleLimits& limits);

}  // namespace espalier
