#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Whole files in and out. Every failure is ERR_IO that names the file and the system's cause.
namespace espalier {

// Who may read a file that we write.
enum class FileAccess { kUsual, kOwnerOnly };

// Written to a temporary file in the same folder, synced, renamed over `path`, the folder synced: a reader,
// or a machine that loses power, sees the old bytes or the new ones, never a part.
void writeFileAtomically(const std::string& path, std::string_view bytes,
                         FileAccess access = FileAccess::kUsual);

// The bytes of a regular file; ERR_LIMIT_EXCEEDED when it is larger than `maxBytes`.
std::string readFile(const std::string& path, uint64_t maxBytes);

// SHA-256 of a regular file, in hex; it is not held in memory.
std::string sha256File(const std::string& path);

bool fileExists(const std::string& path);

}  // namespace espalier
