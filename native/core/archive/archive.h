#pragma once

#include <string>
#include <string_view>

// A model file is somebody else's program: what is checked before libtorch sees it.
namespace espalier {

// Checks a TorchScript archive without executing anything of it: sizes against the file and against memory,
// checksums, path traversal, duplicated or overlapping records, nesting, declared tensors against their
// records. ERR_MODEL_LOAD names the file, the record and what is wrong.
void checkArchive(const std::string& path);

// Both of an archive in memory, `name` in messages. Of one that is trusted objects are still checked against
// their classes, but not what its operators reach.
void checkArchiveBytes(std::string_view bytes, const std::string& name, bool trust);

// Scans every function, method and hook of the archive, still without executing: an operator that reaches
// files, the environment, other processes or raw memory is ERR_MODEL_UNSAFE, an unknown namespace
// ERR_MODEL_UNSUPPORTED, each with operator and source line. Call checkArchive first.
void scanOperators(const std::string& path);

}  // namespace espalier
