#pragma once

#include <cstddef>
#include <cstdint>

namespace espalier {

// The CRC-32 of zip and gzip (reflected 0xEDB88320), continued from `crc`; 0 at the start.
uint32_t crc32(uint32_t crc, const void* data, size_t size);

}  // namespace espalier
