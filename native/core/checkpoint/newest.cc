#include "core/checkpoint/newest.h"

#include <optional>

#include "core/file.h"

namespace espalier {

namespace {
// As many as a run may keep.
constexpr int64_t kMaxGenerations = 100;
}  // namespace

NewestCheckpoint readNewestCheckpoint(const std::string& path, bool trust) {
  std::optional<Error> first;
  for (int64_t age = 0; age < kMaxGenerations; ++age) {
    std::string file = generationPath(path, age);
    if (age > 0 && !fileExists(file)) continue;
    try {
      Checkpoint checkpoint = readCheckpoint(file, trust);
      return {std::move(checkpoint), std::move(file), first ? first.value().message() : std::string()};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCheckpointInvalid && error.code() != ErrorCode::kIo) throw;
      if (!first) first = error;
    }
  }
  fail(first.value().code(), first.value().message(), "; no older checkpoint beside it is whole");
}

}  // namespace espalier
