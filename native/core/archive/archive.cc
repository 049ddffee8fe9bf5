#include "core/archive/archive.h"

#include "core/archive/inspect.h"

namespace espalier {

void checkArchive(const std::string& path) {
  const TorchArchive archive(path);
  archive.checkChecksums();
  inspectArchive(archive);
}

}  // namespace espalier
