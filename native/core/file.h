#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Whole files in and out. Every failure is ERR_IO that names the file and the system's cause.
namespace espalier {

// Who may read a file that we write.
enum class FileAccess { kUsual, kOwnerOnly };

// Written to a temporary file in the same folder, synced, renamed over `path`, the folder synced: a reader,
// or a machine that loses power, sees the old bytes or the new ones, never a part. What killed processes left
// of earlier writes to `path` goes.
void writeFileAtomically(const std::string& path, std::string_view bytes,
                         FileAccess access = FileAccess::kUsual);

// The same, and what was at `path` becomes the first of its older generations, that one the second, and so
// on: `keep` files in all. A write that fails leaves all of them as they were.
void writeNextGeneration(const std::string& path, std::string_view bytes, int64_t keep);

// Where the generation is that is `age` writes older than the one at `path`.
std::string generationPath(const std::string& path, int64_t age);

// Removes the temporary files of writes to `path` whose processes were killed, not those of living ones.
void removeLeftTemporaries(const std::string& path);

// The bytes of a regular file; ERR_LIMIT_EXCEEDED when it is larger than `maxBytes`.
std::string readFile(const std::string& path, uint64_t maxBytes);

// SHA-256 of a regular file, in hex; it is not held in memory.
std::string sha256File(const std::string& path);

bool fileExists(const std::string& path);

}  // namespace espalier
