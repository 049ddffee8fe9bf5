#include "core/file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "core/error.h"
#include "core/sha256.h"

namespace espalier {

namespace {

[[noreturn]] void failIo(std::string_view doing, const std::string& path, int cause) {
  fail(ErrorCode::kIo, "cannot ", doing, " ", path, ": ", std::generic_category().message(cause));
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, mode_t mode = 0)
      : number_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool isOpen() const { return number_ >= 0; }
  int get() const { return number_; }
  int close() {
    const int result = number_ >= 0 ? ::close(number_) : 0;
    number_ = -1;
    return result;
  }

 private:
  int number_;
};

// Removes the temporary file unless it was renamed into place.
class Temporary {
 public:
  explicit Temporary(std::string path) : path_(std::move(path)) {}
  ~Temporary() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  const std::string& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

void writeAll(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) failIo("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

// Some file systems cannot sync a folder (EINVAL); the rename has happened all the same.
void syncFolder(const std::string& folder, const std::string& path) {
  const Descriptor descriptor(folder, O_RDONLY | O_DIRECTORY);
  if (!descriptor.isOpen()) failIo("open the folder of", path, errno);
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL && errno != EROFS)
    failIo("sync the folder of", path, errno);
}

}  // namespace

void writeFileAtomically(const std::string& path, std::string_view bytes, FileAccess access) {
  static std::atomic<uint64_t> serial{0};
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  Temporary temporary(text(path, ".", ::getpid(), "-", serial.fetch_add(1), ".tmp"));
  Descriptor file(temporary.path(), O_WRONLY | O_CREAT | O_EXCL,
                  access == FileAccess::kOwnerOnly ? 0600 : 0666);
  if (!file.isOpen()) failIo("write", path, errno);
  writeAll(file.get(), bytes, path);
  if (::fsync(file.get()) != 0) failIo("write", path, errno);
  if (file.close() != 0) failIo("write", path, errno);
  if (::rename(temporary.path().c_str(), path.c_str()) != 0) failIo("write", path, errno);
  temporary.keep();
  syncFolder(folder, path);
}

std::string readFile(const std::string& path, uint64_t maxBytes) {
  const Descriptor file(path, O_RDONLY);
  if (!file.isOpen()) failIo("read", path, errno);
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) failIo("read", path, errno);
  if (!S_ISREG(facts.st_mode)) fail(ErrorCode::kIo, "cannot read ", path, ": expected a regular file");
  const auto size = static_cast<uint64_t>(facts.st_size);
  if (size > maxBytes) {
    fail(ErrorCode::kLimitExceeded, path, ": expected at most ", maxBytes, " bytes, found ", size);
  }
  std::string bytes(size, '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) failIo("read", path, errno);
    if (got == 0) {
      fail(ErrorCode::kIo, "cannot read ", path, ": it became shorter while it was read (", filled, " of ",
           size, " bytes)");
    }
    filled += static_cast<size_t>(got);
  }
  return bytes;
}

std::string sha256File(const std::string& path) {
  constexpr size_t kPieceBytes = 1 << 20;
  const Descriptor file(path, O_RDONLY);
  if (!file.isOpen()) failIo("read", path, errno);
  Sha256 hash;
  std::string piece(kPieceBytes, '\0');
  while (true) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) failIo("read", path, errno);
    if (got == 0) return hash.hex();
    hash.update(piece.data(), static_cast<size_t>(got));
  }
}

bool fileExists(const std::string& path) {
  struct stat facts{};
  return ::stat(path.c_str(), &facts) == 0;
}

}  // namespace espalier
