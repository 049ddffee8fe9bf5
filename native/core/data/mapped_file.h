#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/value.h"

namespace espalier {

// A regular file as read-only memory.
//
// A page that a writer cuts off kills the process that reads it: readers call checkUnchanged() before they
// touch a file that they did not just open.
class MappedFile {
 public:
  // ERR_IO naming the file and the system's cause.
  static std::shared_ptr<const MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  // ERR_IO when the file is not as it was when opened (size, time of change).
  void checkUnchanged() const;
  // Starts reading these bytes of the mapping without waiting for them.
  void willNeed(const uint8_t* first, size_t count) const;

 private:
  explicit MappedFile(std::string path);

  std::string path_;
  int descriptor_ = -1;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  int64_t changedNs_ = 0;
};
using MappedFilePtr = std::shared_ptr<const MappedFile>;

// What is wrong with a file of data: ERR_DATA_INVALID that reads "FILE: expected E at byte N, found F.
// REMEDY", the parts in its details.
struct Damage {
  std::string expected;
  std::string found;
  std::string remedy;  // a sentence, or nothing
};
[[noreturn]] void failData(const std::string& path, uint64_t offset, const Damage& damage);

}  // namespace espalier
