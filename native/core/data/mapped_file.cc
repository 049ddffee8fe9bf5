#include "core/data/mapped_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "core/error.h"

namespace espalier {

namespace {

[[noreturn]] void failIo(std::string_view doing, const std::string& path, int cause) {
  fail(ErrorCode::kIo, "cannot ", doing, " ", path, ": ", std::generic_category().message(cause));
}

int64_t nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  std::shared_ptr<MappedFile> file(new MappedFile(path));
  // Without O_NONBLOCK a named pipe would wait here for its writer.
  file->descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file->descriptor_ < 0) failIo("open", path, errno);
  struct stat status{};
  if (::fstat(file->descriptor_, &status) != 0) failIo("examine", path, errno);
  if (!S_ISREG(status.st_mode)) fail(ErrorCode::kIo, "cannot read ", path, ": expected a regular file");
  file->size_ = static_cast<size_t>(status.st_size);
  file->changedNs_ = nanoseconds(status.st_mtim);
  if (file->size_ == 0) return file;
  void* data = ::mmap(nullptr, file->size_, PROT_READ, MAP_SHARED, file->descriptor_, 0);
  if (data == MAP_FAILED) failIo("map", path, errno);
  file->data_ = static_cast<const uint8_t*>(data);
  return file;
}

MappedFile::MappedFile(std::string path) : path_(std::move(path)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MappedFile::checkUnchanged() const {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) failIo("examine", path_, errno);
  if (static_cast<size_t>(status.st_size) != size_ || nanoseconds(status.st_mtim) != changedNs_) {
    fail(ErrorCode::kIo, path_, " was changed while a dataset had it open (", size_, " bytes then, ",
         status.st_size,
         " now): open it again, and replace data files by renaming instead of writing into them");
  }
}

void MappedFile::willNeed(const uint8_t* first, size_t count) const {
  static const auto kPage = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t before = reinterpret_cast<uintptr_t>(first) % kPage;
  // A hint: where the kernel declines it, the read itself brings the bytes.
  ::madvise(const_cast<uint8_t*>(first) - before, count + before, MADV_WILLNEED);
}

void failData(const std::string& path, uint64_t offset, const Damage& damage) {
  Value details;
  details.set("file", path);
  details.set("offset", static_cast<int64_t>(offset));
  details.set("expected", damage.expected);
  details.set("found", damage.found);
  throw Error(ErrorCode::kDataInvalid,
              text(path, ": expected ", damage.expected, " at byte ", offset, ", found ", damage.found,
                   damage.remedy.empty() ? "" : ". ", damage.remedy),
              std::move(details));
}

}  // namespace espalier
