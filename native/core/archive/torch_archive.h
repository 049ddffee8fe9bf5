#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/archive/zip.h"

namespace caffe2::serialize {
class PyTorchStreamReader;
}

namespace espalier {

// The records of a TorchScript file, without their common root folder.
class TorchArchive {
 public:
  // Checks the container and that it is TorchScript's: one root folder, data.pkl, constants.pkl, version.
  explicit TorchArchive(const std::string& path);
  ~TorchArchive();

  const std::string& path() const { return zip_.path(); }
  const std::map<std::string, const ZipRecord*>& records() const { return records_; }
  // Null when absent.
  const ZipRecord* find(const std::string& name) const;
  // The content of a record: ERR_LIMIT_EXCEEDED when it is larger than any pickle or code has reason to be.
  std::string read(const std::string& name) const;
  // The format's version.
  uint64_t version() const { return version_; }

  // Every record's checksum against its content.
  void checkChecksums() const;

 private:
  caffe2::serialize::PyTorchStreamReader& inflater() const;

  ZipFile zip_;
  std::map<std::string, const ZipRecord*> records_;
  uint64_t version_ = 0;
  mutable std::unique_ptr<caffe2::serialize::PyTorchStreamReader> inflater_;
};

}  // namespace espalier
