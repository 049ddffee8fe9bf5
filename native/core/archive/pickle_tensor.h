#pragma once

#include <cstdint>
#include <vector>

#include "core/archive/pickle.h"

namespace espalier {

// The children of a kStorage from the persistent id ('storage', element type, key, device, numel) at `node`:
// its declared bytes must lie in its record.
std::vector<uint32_t> storageOf(const Pickle& pickle, uint32_t node, const PickleLimits& limits);

// The arguments (storage, offset, sizes, strides, ...) of a tensor: it must lie in its storage.
void checkTensor(const Pickle& pickle, uint32_t arguments, const PickleLimits& limits);

}  // namespace espalier
