#pragma once

#include <cstdint>
#include <string>
#include <vector>

// A strict reader of the zip container. What two readers could understand differently is refused, so that
// what was checked is what libtorch loads.
namespace espalier {

struct ZipRecord {
  std::string name;  // as stored, with the root folder
  uint64_t headerOffset = 0;
  uint64_t dataOffset = 0;
  uint64_t storedSize = 0;  // bytes in the file
  uint64_t size = 0;        // bytes of content
  uint32_t crc = 0;
  bool deflated = false;
};

// Read with pread, never mapped: a file that shrinks under us is an error, not a signal.
class ZipFile {
 public:
  // Checks the whole structure: directory (zip64 too) against local headers, names, sizes against the file
  // and against memory, duplicates, overlaps. ERR_IO, ERR_MODEL_LOAD.
  explicit ZipFile(std::string path);
  ~ZipFile();
  ZipFile(const ZipFile&) = delete;
  ZipFile& operator=(const ZipFile&) = delete;

  const std::string& path() const { return path_; }
  const std::vector<ZipRecord>& records() const { return records_; }
  void readAt(uint64_t offset, void* into, size_t size) const;

 private:
  struct Directory {
    uint64_t count = 0;
    uint64_t offset = 0;
    uint64_t size = 0;
    uint64_t end = 0;  // where the end records begin
  };
  Directory findDirectory() const;
  void readDirectory(const Directory& directory);
  void checkLocalHeader(ZipRecord& record, uint16_t flags, uint16_t method) const;
  void checkExtents(uint64_t directoryOffset) const;
  std::string readText(uint64_t offset, uint64_t size) const;

  std::string path_;
  int descriptor_ = -1;
  uint64_t fileSize_ = 0;
  std::vector<ZipRecord> records_;
};

// Bytes of memory of this machine.
uint64_t physicalMemory();

}  // namespace espalier
