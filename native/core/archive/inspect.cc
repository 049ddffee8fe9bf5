#include "core/archive/inspect.h"

#include <optional>
#include <string_view>

#include "core/error.h"

namespace espalier {
namespace {

bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

Pickle scanRecord(const TorchArchive& archive, const std::string& record, const std::string& content) {
  PickleLimits limits;
  limits.where = text("'", archive.path(), "', record '", record, "'");
  const std::string folder = record.substr(0, record.size() - std::string_view(".pkl").size()) + "/";
  limits.storageBytes = [&](std::string_view key) -> std::optional<uint64_t> {
    const ZipRecord* found = archive.find(folder + std::string(key));
    return found == nullptr ? std::nullopt : std::optional<uint64_t>(found->size);
  };
  return scanPickle(content, limits);
}

}  // namespace

ArchiveFacts inspectArchive(const TorchArchive& archive) {
  ArchiveFacts facts{CodeOutline(archive.path()), {}};
  // libtorch reads the constants first, then the data.
  for (const char* record : {"constants.pkl", "data.pkl"}) {
    const std::string content = archive.read(record);
    const Pickle pickle = scanRecord(archive, record, content);
    for (const uint32_t node : pickle.classes) facts.classes.push_back(pickle.className(node));
  }
  for (const auto& [record, entry] : archive.records()) {
    if (endsWith(record, ".debug_pkl")) scanRecord(archive, record, archive.read(record));
    if (record.compare(0, 5, "code/") == 0 && endsWith(record, ".py"))
      facts.outline.addFile(record, archive.read(record));
  }
  facts.outline.checkChains(facts.classes);
  return facts;
}

}  // namespace espalier
