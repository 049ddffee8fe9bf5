#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <caffe2/serialize/inline_container.h>

#include "core/error.h"
#include "core/zoo/zoo.h"

// Makes model files for the tests of the archive check, whole and damaged.
namespace espalier::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "espalier-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) fail(ErrorCode::kIo, "cannot make a temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

using Records = std::map<std::string, std::string>;

inline void writeBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string readBytes(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

// A small trained-looking classifier, 5 KB.
inline std::string smallModel() {
  CreateOptions options{
      .architecture = Architecture::kConvnet, .classes = 3, .inChannels = 1, .inputSize = 8, .seed = 1};
  options.widths = {4, 6};
  std::ostringstream out;
  authorModule(options).save(out);
  return out.str();
}

inline Records recordsOf(const std::string& bytes) {
  std::istringstream in(bytes);
  caffe2::serialize::PyTorchStreamReader reader(&in);
  Records records;
  for (const std::string& name : reader.getAllRecords()) {
    const auto [data, size] = reader.getRecord(name);
    records[name] = std::string(static_cast<const char*>(data.get()), size);
  }
  return records;
}

// An archive of these records with right checksums.
inline std::string archiveOf(const Records& records) {
  std::string bytes;
  caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, size_t size) {
    bytes.append(static_cast<const char*>(data), size);
    return size;
  });
  for (const auto& [name, content] : records) {
    // The writer adds these two itself.
    if (name == "version" || name == ".data/serialization_id") continue;
    writer.writeRecord(name, content.data(), content.size(), content.size() > 200 && name.find("code/") == 0);
  }
  writer.writeEndOfFile();
  return bytes;
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  if (at == std::string::npos) fail(ErrorCode::kInternal, "'", from, "' is not in the text");
  return text.replace(at, from.size(), to);
}

}  // namespace espalier::test
