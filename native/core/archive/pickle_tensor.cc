#include "core/archive/pickle_tensor.h"

#include <c10/core/ScalarType.h>

#include "core/archive/zip.h"
#include "core/error.h"

namespace espalier {
namespace {

using Kind = PickleNode::Kind;

constexpr size_t kMostDimensions = 64;

// Bytes an element of "torch.FloatStorage" and the like; 0 when there is no such type.
uint64_t elementBytes(const std::string& storage) {
  for (int i = 0; i < static_cast<int>(c10::ScalarType::NumOptions); ++i) {
    const auto type = static_cast<c10::ScalarType>(i);
    if (type == c10::ScalarType::Undefined ||
        std::string("torch.") + c10::toString(type) + "Storage" != storage)
      continue;
    return c10::elementSize(type);
  }
  return 0;
}

std::string_view textOf(const Pickle& pickle, uint32_t node) {
  return pickle.texts[static_cast<size_t>(pickle.nodes[node].value)];
}

// Non-negative integers of a tuple; false when it is anything else.
bool readSizes(const Pickle& pickle, uint32_t node, std::vector<uint64_t>& sizes) {
  if (pickle.nodes[node].kind != Kind::kTuple) return false;
  for (const uint32_t child : pickle.children(pickle.nodes[node])) {
    const PickleNode& size = pickle.nodes[child];
    if (size.kind != Kind::kInt || size.value < 0) return false;
    sizes.push_back(static_cast<uint64_t>(size.value));
  }
  return sizes.size() <= kMostDimensions;
}

}  // namespace

std::vector<uint32_t> storageOf(const Pickle& pickle, uint32_t node, const PickleLimits& limits) {
  const PickleNode& tuple = pickle.nodes[node];
  const std::vector<uint32_t> id =
      tuple.kind == Kind::kTuple ? pickle.children(tuple) : std::vector<uint32_t>();
  const bool shaped = id.size() == 5 && pickle.nodes[id[0]].kind == Kind::kString &&
                      textOf(pickle, id[0]) == "storage" && pickle.nodes[id[1]].kind == Kind::kGlobal &&
                      pickle.nodes[id[2]].kind == Kind::kString &&
                      pickle.nodes[id[3]].kind == Kind::kString && pickle.nodes[id[4]].kind == Kind::kInt;
  if (!shaped) fail(ErrorCode::kModelLoad, limits.where, ": a storage is not declared as TorchScript does");
  const std::string_view key = textOf(pickle, id[2]);
  const uint64_t bytes = elementBytes(pickle.className(id[1]));
  if (bytes == 0) {
    fail(ErrorCode::kModelLoad, limits.where, ": storage '", key, "' has the unknown element type '",
         pickle.className(id[1]), "'");
  }
  const int64_t numel = pickle.nodes[id[4]].value;
  if (numel < 0)
    fail(ErrorCode::kModelLoad, limits.where, ": storage '", key, "' declares ", numel, " elements");
  if (numel > 0) {
    const std::optional<uint64_t> recorded = limits.storageBytes(key);
    if (!recorded) fail(ErrorCode::kModelLoad, limits.where, ": storage '", key, "' has no record");
    if (static_cast<uint64_t>(numel) > *recorded / bytes) {
      fail(ErrorCode::kModelLoad, limits.where, ": storage '", key, "' declares ", numel, " elements of ",
           bytes, " bytes, its record has ", *recorded, " bytes");
    }
  }
  return {id[1], id[4]};
}

void checkTensor(const Pickle& pickle, uint32_t arguments, const PickleLimits& limits) {
  const PickleNode& tuple = pickle.nodes[arguments];
  const std::vector<uint32_t> fields =
      tuple.kind == Kind::kTuple ? pickle.children(tuple) : std::vector<uint32_t>();
  if (fields.size() < 4 || pickle.nodes[fields[0]].kind != Kind::kStorage) {
    fail(ErrorCode::kModelLoad, limits.where, ": a tensor is not declared as TorchScript does");
  }
  const auto& storage = pickle.children(pickle.nodes[fields[0]]);
  const auto numel = static_cast<uint64_t>(pickle.nodes[storage[1]].value);
  const PickleNode& offset = pickle.nodes[fields[1]];
  std::vector<uint64_t> sizes;
  std::vector<uint64_t> strides;
  if (offset.kind != Kind::kInt || offset.value < 0 || !readSizes(pickle, fields[2], sizes) ||
      !readSizes(pickle, fields[3], strides) || sizes.size() != strides.size()) {
    fail(ErrorCode::kModelLoad, limits.where,
         ": a tensor's offset, sizes and strides must be integers of at least 0, as many sizes as strides, "
         "at most ",
         kMostDimensions);
  }
  // The last element must lie in the storage; the elements must fit memory, were they laid out.
  uint64_t last = static_cast<uint64_t>(offset.value);
  uint64_t count = 1;
  bool overflow = false;
  bool empty = false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    empty = empty || sizes[i] == 0;
    uint64_t step = 0;
    overflow = overflow || __builtin_mul_overflow(count, std::max<uint64_t>(sizes[i], 1), &count) ||
               __builtin_mul_overflow(std::max<uint64_t>(sizes[i], 1) - 1, strides[i], &step) ||
               __builtin_add_overflow(last, step, &last);
  }
  if (overflow || count > physicalMemory()) {
    fail(ErrorCode::kModelLoad, limits.where,
         ": a tensor declares more elements than this machine could hold");
  }
  if (empty ? static_cast<uint64_t>(offset.value) > numel : last >= numel) {
    fail(ErrorCode::kModelLoad, limits.where, ": a tensor reaches element ", last, " of a storage of ",
         numel);
  }
}

}  // namespace espalier
