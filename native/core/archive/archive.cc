#include "core/archive/archive.h"

#include <sys/mman.h>
#include <unistd.h>

#include "core/archive/inspect.h"
#include "core/error.h"

namespace espalier {

namespace {

// Bytes as a file without a name on disk, since archives are read from files.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(memfd_create("espalier", MFD_CLOEXEC)) {
    while (descriptor_ >= 0 && !bytes.empty()) {
      const ssize_t count = write(descriptor_, bytes.data(), bytes.size());
      if (count <= 0) break;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    if (descriptor_ >= 0 && bytes.empty()) return;
    if (descriptor_ >= 0) close(descriptor_);
    fail(ErrorCode::kOutOfMemory, "no memory for the copy of a model that is to be checked");
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return text("/proc/self/fd/", descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

void checkArchiveBytes(std::string_view bytes, const std::string& name, bool trust) {
  const MemoryFile file(bytes);
  try {
    checkArchive(file.path());
    scanOperators(file.path());
  } catch (const Error& error) {
    const bool isAboutOperators =
        error.code() == ErrorCode::kModelUnsafe || error.code() == ErrorCode::kModelUnsupported;
    if (trust && isAboutOperators) return;
    std::string message = error.message();
    const std::string quoted = "'" + file.path() + "'";
    const size_t at = message.find(quoted);
    if (at != std::string::npos) message = message.substr(0, at) + name + message.substr(at + quoted.size());
    throw Error(error.code(), std::move(message), error.details());
  }
}

void checkArchive(const std::string& path) {
  const TorchArchive archive(path);
  archive.checkChecksums();
  inspectArchive(archive);
}

}  // namespace espalier
