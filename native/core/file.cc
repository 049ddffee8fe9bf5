#include "core/file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sys/file.h>
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

std::string temporaryName(const std::string& path) {
  static std::atomic<uint64_t> serial{0};
  return text(path, ".", ::getpid(), "-", serial.fetch_add(1), ".tmp");
}

// Whether `name` is a temporaryName() of `base`, of whatever process.
bool isTemporaryOf(std::string_view base, std::string_view name) {
  constexpr std::string_view kEnd = ".tmp";
  if (name.size() < base.size() + 1 + kEnd.size() || name.substr(0, base.size()) != base) return false;
  if (name[base.size()] != '.' || name.substr(name.size() - kEnd.size()) != kEnd) return false;
  const std::string_view middle = name.substr(base.size() + 1, name.size() - base.size() - 1 - kEnd.size());
  const size_t dash = middle.find('-');
  const auto isNumber = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return dash != std::string_view::npos && isNumber(middle.substr(0, dash)) &&
         isNumber(middle.substr(dash + 1));
}

// A file beside `path` that is gone in the end unless it is renamed. Its lock says that its writer lives: a
// process number may be another's tomorrow.
class Temporary {
 public:
  Temporary(const std::string& path, FileAccess access) : target_(path) {
    do {
      name_ = temporaryName(path);
      number_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                       access == FileAccess::kOwnerOnly ? 0600 : 0666);
    } while (number_ < 0 && errno == EEXIST);
    if (number_ < 0) failIo("write", target_, errno);
    ::flock(number_, LOCK_EX | LOCK_NB);
  }
  ~Temporary() {
    if (!renamed_) ::unlink(name_.c_str());
    ::close(number_);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  void write(std::string_view bytes) const {
    writeAll(number_, bytes, target_);
    if (::fsync(number_) != 0) failIo("write", target_, errno);
  }
  void rename() {
    if (::rename(name_.c_str(), target_.c_str()) != 0) failIo("write", target_, errno);
    renamed_ = true;
  }

 private:
  std::string target_;
  std::string name_;
  int number_ = -1;
  bool renamed_ = false;
};

// A second name for what is at a path, so that it outlives its successor; a copy where the file system knows
// no second names. What cannot be kept is not kept: the successor is whole.
class Aside {
 public:
  explicit Aside(const std::string& path) : name_(temporaryName(path)) {
    std::error_code fault;
    std::filesystem::create_hard_link(path, name_, fault);
    if (fault && std::filesystem::exists(path, fault)) std::filesystem::copy_file(path, name_, fault);
    kept_ = !fault && std::filesystem::exists(name_, fault);
  }
  ~Aside() { ::unlink(name_.c_str()); }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  // As the youngest of the older generations.
  void rotate(const std::string& path, int64_t keep) const {
    if (!kept_) return;
    std::error_code ignored;  // a generation that does not exist yet
    for (int64_t age = keep - 1; age > 1; --age)
      std::filesystem::rename(generationPath(path, age - 1), generationPath(path, age), ignored);
    std::filesystem::rename(name_, generationPath(path, 1), ignored);
  }

 private:
  std::string name_;
  bool kept_ = false;
};

std::string folderOf(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

}  // namespace

void removeLeftTemporaries(const std::string& path) {
  const std::string base = std::filesystem::path(path).filename().string();
  std::error_code fault;
  for (std::filesystem::directory_iterator it(folderOf(path), fault), end; !fault && it != end;
       it.increment(fault)) {
    if (!isTemporaryOf(base, it->path().filename().string())) continue;
    const Descriptor file(it->path().string(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (file.isOpen() && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(it->path().c_str());
  }
}

void writeFileAtomically(const std::string& path, std::string_view bytes, FileAccess access) {
  removeLeftTemporaries(path);
  Temporary temporary(path, access);
  temporary.write(bytes);
  temporary.rename();
  syncFolder(folderOf(path), path);
}

std::string generationPath(const std::string& path, int64_t age) {
  return age == 0 ? path : text(path, ".", age);
}

void writeNextGeneration(const std::string& path, std::string_view bytes, int64_t keep) {
  removeLeftTemporaries(path);
  Temporary temporary(path, FileAccess::kUsual);
  temporary.write(bytes);
  std::optional<Aside> old;
  if (keep > 1) old.emplace(path);
  temporary.rename();
  // Last, so that the newest is whole whenever the process is killed.
  if (old) old->rotate(path, keep);
  syncFolder(folderOf(path), path);
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
