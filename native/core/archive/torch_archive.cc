#include "core/archive/torch_archive.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include <caffe2/serialize/inline_container.h>

#include "core/archive/crc32.h"
#include "core/error.h"

namespace espalier {
namespace {

constexpr uint64_t kLargestText = uint64_t{256} << 20;
constexpr size_t kChunk = size_t{1} << 20;

}  // namespace

TorchArchive::TorchArchive(const std::string& path) : zip_(path) {
  std::string root;
  for (const ZipRecord& record : zip_.records()) {
    const size_t slash = record.name.find('/');
    const std::string folder = slash == std::string::npos ? "" : record.name.substr(0, slash + 1);
    if (root.empty()) root = folder;
    if (folder.empty() || folder != root) {
      fail(ErrorCode::kModelLoad, "'", path, "', record '", record.name,
           "': expected all records in one folder", root.empty() ? "" : " '" + root + "'");
    }
    if (record.name.size() == root.size() || record.name.back() == '/') {
      if (record.size != 0)
        fail(ErrorCode::kModelLoad, "'", path, "': the folder '", record.name, "' has content");
      continue;
    }
    records_.emplace(record.name.substr(root.size()), &record);
  }
  // Code with operators newer than format 5 has its version there, where older readers do not look.
  const char* versionRecord = find(".data/version") != nullptr ? ".data/version" : "version";
  for (const char* name : {"data.pkl", "constants.pkl", versionRecord}) {
    if (find(name) != nullptr) continue;
    fail(ErrorCode::kModelLoad, "'", path, "' is not a TorchScript archive: it has no '", name, "'",
         find("data.pkl") != nullptr ? " (it looks like a file of torch.save, which holds no code)" : "",
         "; write one with torch.jit.save");
  }
  std::string version = read(versionRecord);
  while (!version.empty() && version.back() == '\n') version.pop_back();
  const char* end = version.data() + version.size();
  const auto parsed = std::from_chars(version.data(), end, version_);
  if (parsed.ec != std::errc() || parsed.ptr != end ||
      version_ < caffe2::serialize::kMinSupportedFileFormatVersion ||
      version_ > caffe2::serialize::kMaxSupportedFileFormatVersion) {
    fail(ErrorCode::kModelLoad, "'", path, "': expected a format version from ",
         caffe2::serialize::kMinSupportedFileFormatVersion, " to ",
         caffe2::serialize::kMaxSupportedFileFormatVersion, ", found '", version.substr(0, 20),
         "'; save the model again with a PyTorch of this version");
  }
}

TorchArchive::~TorchArchive() = default;

const ZipRecord* TorchArchive::find(const std::string& name) const {
  const auto found = records_.find(name);
  return found == records_.end() ? nullptr : found->second;
}

caffe2::serialize::PyTorchStreamReader& TorchArchive::inflater() const {
  if (!inflater_) inflater_ = std::make_unique<caffe2::serialize::PyTorchStreamReader>(path());
  return *inflater_;
}

std::string TorchArchive::read(const std::string& name) const {
  const ZipRecord& record = *records_.at(name);
  if (record.size > kLargestText) {
    fail(ErrorCode::kModelLoad, "'", path(), "', record '", name, "': expected at most ", kLargestText,
         " bytes, found ", record.size);
  }
  std::string content(record.size, '\0');
  if (!record.deflated) {
    zip_.readAt(record.dataOffset, content.data(), content.size());
    return content;
  }
  try {
    inflater().getRecord(name, content.data(), content.size());
  } catch (const c10::Error&) {
    fail(ErrorCode::kModelLoad, "'", path(), "', record '", name,
         "' cannot be inflated: the file is damaged");
  }
  return content;
}

void TorchArchive::checkChecksums() const {
  std::vector<char> chunk(kChunk);
  for (const auto& [name, record] : records_) {
    uint32_t crc = 0;
    if (record->deflated) {
      const std::string content = read(name);
      crc = crc32(crc, content.data(), content.size());
    }
    for (uint64_t done = 0; !record->deflated && done < record->size; done += kChunk) {
      const size_t count = std::min<uint64_t>(kChunk, record->size - done);
      zip_.readAt(record->dataOffset + done, chunk.data(), count);
      crc = crc32(crc, chunk.data(), count);
    }
    if (crc != record->crc) {
      fail(ErrorCode::kModelLoad, "'", path(), "', record '", name,
           "': its checksum is wrong: the file is damaged");
    }
  }
}

}  // namespace espalier
