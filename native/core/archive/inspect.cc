#include "core/archive/inspect.h"

#include <optional>
#include <string_view>

#include "core/error.h"

namespace espalier {
namespace {

bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

void scanRecord(const TorchArchive& archive, const std::string& name, PickleRecord& record) {
  record.where = text("'", archive.path(), "', record '", name, "'");
  record.content = archive.read(name);
  PickleLimits limits;
  limits.where = record.where;
  const std::string folder = name.substr(0, name.size() - std::string_view(".pkl").size()) + "/";
  limits.storageBytes = [&](std::string_view key) -> std::optional<uint64_t> {
    const ZipRecord* found = archive.find(folder + std::string(key));
    return found == nullptr ? std::nullopt : std::optional<uint64_t>(found->size);
  };
  record.pickle = scanPickle(record.content, limits);
}

}  // namespace

ArchiveFacts inspectArchive(const TorchArchive& archive) {
  ArchiveFacts facts{CodeOutline(archive.path()), {}, {}};
  // libtorch reads the constants first, then the data.
  for (const char* name : {"constants.pkl", "data.pkl"}) {
    PickleRecord& record = facts.pickles.emplace_back();
    scanRecord(archive, name, record);
    for (const uint32_t node : record.pickle.classes) facts.classes.push_back(record.pickle.className(node));
  }
  for (const auto& [name, entry] : archive.records()) {
    PickleRecord debug;
    if (endsWith(name, ".debug_pkl")) scanRecord(archive, name, debug);
    if (name.compare(0, 5, "code/") == 0 && endsWith(name, ".py"))
      facts.outline.addFile(name, archive.read(name));
  }
  facts.outline.checkChains(facts.classes);
  return facts;
}

}  // namespace espalier
