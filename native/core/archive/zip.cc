#include "core/archive/zip.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <type_traits>
#include <unistd.h>
#include <unordered_set>

#include "core/error.h"

namespace espalier {
namespace {

// APPNOTE.TXT 6.3.10: signatures and the fixed parts of each header.
constexpr uint32_t kLocalHeader = 0x04034B50;
constexpr uint32_t kCentralHeader = 0x02014B50;
constexpr uint32_t kEnd = 0x06054B50;
constexpr uint32_t kEnd64 = 0x06064B50;
constexpr uint32_t kLocator64 = 0x07064B50;
constexpr uint64_t kLocalSize = 30;
constexpr uint64_t kCentralSize = 46;
constexpr uint64_t kEndSize = 22;
constexpr uint64_t kEnd64Size = 56;
constexpr uint64_t kLocator64Size = 20;
constexpr uint16_t kZip64Field = 1;
constexpr uint16_t kEncrypted = 1 << 0;
constexpr uint16_t kDescriptorFollows = 1 << 3;
constexpr uint32_t kSee64 = 0xFFFFFFFF;

constexpr uint64_t kMostRecords = 1 << 20;
constexpr uint64_t kLongestName = 4096;
// Code and debug tables deflate about tenfold. What grows more than this, and large, is a bomb.
constexpr uint64_t kLargestRatio = 200;
constexpr uint64_t kLargestUnquestioned = uint64_t{64} << 20;

template <class T>
T little(std::string_view bytes, size_t offset) {
  static_assert(std::is_unsigned_v<T>);
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[offset + i])) << (8 * i));
  }
  return value;
}

// Takes from the zip64 extra field what the 32-bit fields refer to, in their fixed order.
class Zip64Field {
 public:
  explicit Zip64Field(std::string_view extra) {
    while (extra.size() >= 4) {
      const auto id = little<uint16_t>(extra, 0);
      const auto size = little<uint16_t>(extra, 2);
      if (size > extra.size() - 4) break;
      if (id == kZip64Field) {
        field_ = extra.substr(4, size);
        return;
      }
      extra.remove_prefix(4 + size);
    }
  }

  // False when the field lacks the value.
  bool widen(uint64_t& value) {
    if (value != kSee64) return true;
    if (field_.size() < 8) return false;
    value = little<uint64_t>(field_, 0);
    field_.remove_prefix(8);
    return true;
  }

 private:
  std::string_view field_;
};

// Why a name could lead out of the archive; empty when it cannot.
std::string_view wrongName(std::string_view name) {
  if (name.empty()) return "an empty name";
  if (name.size() > kLongestName) return "a name of more than 4096 bytes";
  if (name.front() == '/') return "an absolute path";
  if (name.find('\\') != name.npos) return "a backslash in its name";
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20) return "a control character in its name";
  }
  size_t start = 0;
  while (start < name.size()) {
    const size_t end = std::min(name.find('/', start), name.size());
    const std::string_view part = name.substr(start, end - start);
    if (part.empty() || part == "." || part == "..") return "a path that leaves its folder";
    start = end + 1;
  }
  return {};
}

}  // namespace

uint64_t physicalMemory() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

ZipFile::ZipFile(std::string path) : path_(std::move(path)) {
  descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail(ErrorCode::kIo, "cannot open '", path_, "': ", std::strerror(errno));
  try {
    struct stat status{};
    if (fstat(descriptor_, &status) != 0) {
      fail(ErrorCode::kIo, "cannot read '", path_, "': ", std::strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) fail(ErrorCode::kIo, "cannot read '", path_, "': expected a regular file");
    fileSize_ = static_cast<uint64_t>(status.st_size);
    const Directory directory = findDirectory();
    readDirectory(directory);
    checkExtents(directory.offset);
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

ZipFile::~ZipFile() { close(descriptor_); }

void ZipFile::readAt(uint64_t offset, void* into, size_t size) const {
  auto* bytes = static_cast<char*>(into);
  while (size > 0) {
    const ssize_t count = pread(descriptor_, bytes, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      fail(ErrorCode::kIo, "cannot read '", path_, "' at byte ", offset, ": ", std::strerror(errno));
    if (count == 0) {
      fail(ErrorCode::kModelLoad, "'", path_, "' ends at byte ", offset, ", expected ", size,
           " more bytes: the file is truncated");
    }
    bytes += count;
    offset += static_cast<uint64_t>(count);
    size -= static_cast<size_t>(count);
  }
}

std::string ZipFile::readText(uint64_t offset, uint64_t size) const {
  if (offset > fileSize_ || size > fileSize_ - offset) {
    fail(ErrorCode::kModelLoad, "'", path_, "': expected ", size, " bytes at offset ", offset,
         ", the file has ", fileSize_, ": it is truncated or damaged");
  }
  std::string text(size, '\0');
  readAt(offset, text.data(), size);
  return text;
}

ZipFile::Directory ZipFile::findDirectory() const {
  const std::string start = readText(0, std::min<uint64_t>(fileSize_, 4));
  if (start.size() < 4 || little<uint32_t>(start, 0) != kLocalHeader) {
    fail(ErrorCode::kModelLoad, "'", path_,
         "' is not a TorchScript archive: expected a zip file that begins ",
         "with its first record; write one with torch.jit.save");
  }
  const uint64_t tailSize = std::min<uint64_t>(fileSize_, kEndSize + 0xFFFF);
  const uint64_t tailOffset = fileSize_ - tailSize;
  const std::string tail = readText(tailOffset, tailSize);
  for (size_t i = tail.size() < kEndSize ? 0 : tail.size() - kEndSize + 1; i-- > 0;) {
    if (little<uint32_t>(tail, i) != kEnd) continue;
    // Other readers take the last signature, whatever stands behind it.
    if (i + kEndSize + little<uint16_t>(tail, i + 20) != tail.size()) {
      fail(ErrorCode::kModelLoad, "'", path_, "': the end record at byte ", tailOffset + i,
           " does not end where the file does");
    }
    Directory directory;
    directory.count = little<uint16_t>(tail, i + 10);
    directory.size = little<uint32_t>(tail, i + 12);
    directory.offset = little<uint32_t>(tail, i + 16);
    directory.end = tailOffset + i;
    if (little<uint16_t>(tail, i + 4) != 0 || little<uint16_t>(tail, i + 6) != 0 ||
        little<uint16_t>(tail, i + 8) != directory.count) {
      fail(ErrorCode::kModelLoad, "'", path_, "': expected a zip file in one part, found one of several");
    }
    const uint64_t endOffset = directory.end;
    const bool locator = endOffset >= kLocator64Size + kEnd64Size &&
                         little<uint32_t>(readText(endOffset - kLocator64Size, 4), 0) == kLocator64;
    if (locator) {
      const std::string pointer = readText(endOffset - kLocator64Size, kLocator64Size);
      directory.end = little<uint64_t>(pointer, 8);
      const std::string end64 = readText(directory.end, kEnd64Size);
      if (little<uint32_t>(end64, 0) != kEnd64 ||
          little<uint64_t>(end64, 4) + 12 != endOffset - kLocator64Size - directory.end) {
        fail(ErrorCode::kModelLoad, "'", path_, "': the zip64 end record at byte ", directory.end,
             " is damaged");
      }
      const Directory narrow = directory;
      directory.count = little<uint64_t>(end64, 32);
      directory.size = little<uint64_t>(end64, 40);
      directory.offset = little<uint64_t>(end64, 48);
      if (little<uint64_t>(end64, 24) != directory.count ||
          (narrow.count != 0xFFFF && narrow.count != directory.count) ||
          (narrow.size != kSee64 && narrow.size != directory.size) ||
          (narrow.offset != kSee64 && narrow.offset != directory.offset)) {
        fail(ErrorCode::kModelLoad, "'", path_, "': its two end records contradict each other");
      }
    }
    if (directory.offset > directory.end || directory.size != directory.end - directory.offset) {
      fail(ErrorCode::kModelLoad, "'", path_, "': the directory of ", directory.size, " bytes at byte ",
           directory.offset, " does not end where the end record begins (byte ", directory.end, ")");
    }
    if (directory.count > kMostRecords || directory.count * kCentralSize > directory.size) {
      fail(ErrorCode::kModelLoad, "'", path_, "': the directory claims ", directory.count, " records in ",
           directory.size, " bytes");
    }
    return directory;
  }
  fail(ErrorCode::kModelLoad, "'", path_, "' has no end record: the file is truncated, or not a zip file");
}

void ZipFile::readDirectory(const Directory& directory) {
  const std::string bytes = readText(directory.offset, directory.size);
  std::unordered_set<std::string> names;
  uint64_t inflated = 0;
  size_t at = 0;
  for (uint64_t i = 0; i < directory.count; ++i) {
    if (bytes.size() - at < kCentralSize || little<uint32_t>(bytes, at) != kCentralHeader) {
      fail(ErrorCode::kModelLoad, "'", path_, "': entry ", i, " of the directory is damaged");
    }
    const auto flags = little<uint16_t>(bytes, at + 8);
    const auto method = little<uint16_t>(bytes, at + 10);
    const uint64_t nameSize = little<uint16_t>(bytes, at + 28);
    const uint64_t extraSize = little<uint16_t>(bytes, at + 30);
    const uint64_t commentSize = little<uint16_t>(bytes, at + 32);
    if (bytes.size() - at - kCentralSize < nameSize + extraSize + commentSize) {
      fail(ErrorCode::kModelLoad, "'", path_, "': entry ", i, " of the directory reaches past its end");
    }
    ZipRecord record;
    record.name = bytes.substr(at + kCentralSize, nameSize);
    record.crc = little<uint32_t>(bytes, at + 16);
    record.storedSize = little<uint32_t>(bytes, at + 20);
    record.size = little<uint32_t>(bytes, at + 24);
    record.headerOffset = little<uint32_t>(bytes, at + 42);
    Zip64Field wide(std::string_view(bytes).substr(at + kCentralSize + nameSize, extraSize));
    at += kCentralSize + nameSize + extraSize + commentSize;

    const auto refuse = [&](const auto&... why) {
      fail(ErrorCode::kModelLoad, "'", path_, "', record '", record.name, "': ", why...);
    };
    if (const std::string_view wrong = wrongName(record.name); !wrong.empty()) refuse("has ", wrong);
    if (!wide.widen(record.size) || !wide.widen(record.storedSize) || !wide.widen(record.headerOffset)) {
      refuse("lacks its zip64 sizes");
    }
    if ((flags & kEncrypted) != 0) refuse("is encrypted, expected a plain record");
    if (method != 0 && method != 8)
      refuse("uses compression method ", method, ", expected stored or deflated");
    if (!names.insert(record.name).second) refuse("occurs twice");
    record.deflated = method == 8;
    if (!record.deflated && record.size != record.storedSize) {
      refuse("is stored, but its sizes differ: ", record.size, " and ", record.storedSize, " bytes");
    }
    if (record.storedSize > fileSize_)
      refuse("claims ", record.storedSize, " bytes, the file has ", fileSize_);
    if (record.deflated) {
      if (record.size > kLargestUnquestioned && record.size / kLargestRatio > record.storedSize) {
        refuse("would inflate ", record.storedSize, " bytes to ", record.size, ": a decompression bomb");
      }
      if (record.size > physicalMemory() - inflated)
        refuse("would inflate to more than this machine's memory");
      inflated += record.size;
    }
    checkLocalHeader(record, flags, method);
    records_.push_back(std::move(record));
  }
  if (at != bytes.size()) {
    fail(ErrorCode::kModelLoad, "'", path_, "': the directory holds more than its ", directory.count,
         " entries");
  }
}

void ZipFile::checkLocalHeader(ZipRecord& record, uint16_t flags, uint16_t method) const {
  const auto refuse = [&](const auto&... why) {
    fail(ErrorCode::kModelLoad, "'", path_, "', record '", record.name, "': its local header at byte ",
         record.headerOffset, " ", why...);
  };
  const std::string header = readText(record.headerOffset, kLocalSize);
  if (little<uint32_t>(header, 0) != kLocalHeader) refuse("is not one");
  const uint64_t nameSize = little<uint16_t>(header, 26);
  const uint64_t extraSize = little<uint16_t>(header, 28);
  const std::string rest = readText(record.headerOffset + kLocalSize, nameSize + extraSize);
  if (rest.compare(0, nameSize, record.name) != 0 || nameSize != record.name.size())
    refuse("has another name");
  if (little<uint16_t>(header, 6) != flags || little<uint16_t>(header, 8) != method) {
    refuse("contradicts the directory");
  }
  const auto crc = little<uint32_t>(header, 14);
  uint64_t storedSize = little<uint32_t>(header, 18);
  uint64_t size = little<uint32_t>(header, 22);
  Zip64Field wide(std::string_view(rest).substr(nameSize));
  if (!wide.widen(size) || !wide.widen(storedSize)) refuse("lacks its zip64 sizes");
  // With a descriptor behind the data, the sizes may be left to it.
  const bool deferred = (flags & kDescriptorFollows) != 0 && crc == 0 && storedSize == 0 && size == 0;
  if (!deferred && (crc != record.crc || storedSize != record.storedSize || size != record.size)) {
    refuse("contradicts the directory's sizes");
  }
  record.dataOffset = record.headerOffset + kLocalSize + nameSize + extraSize;
}

void ZipFile::checkExtents(uint64_t directoryOffset) const {
  std::vector<const ZipRecord*> ordered;
  ordered.reserve(records_.size());
  for (const ZipRecord& record : records_) ordered.push_back(&record);
  std::sort(ordered.begin(), ordered.end(),
            [](const ZipRecord* a, const ZipRecord* b) { return a->headerOffset < b->headerOffset; });
  for (size_t i = 0; i < ordered.size(); ++i) {
    const ZipRecord& record = *ordered[i];
    const uint64_t limit = i + 1 < ordered.size() ? ordered[i + 1]->headerOffset : directoryOffset;
    if (record.dataOffset > limit || record.storedSize > limit - record.dataOffset) {
      fail(ErrorCode::kModelLoad, "'", path_, "', record '", record.name, "': bytes ", record.headerOffset,
           " to ", record.dataOffset + record.storedSize, " overlap ",
           i + 1 < ordered.size() ? "record '" + ordered[i + 1]->name + "'" : std::string("the directory"));
    }
  }
}

}  // namespace espalier
