#pragma once

#include <string>
#include <vector>

#include "core/archive/nesting.h"
#include "core/archive/pickle.h"
#include "core/archive/torch_archive.h"

namespace espalier {

struct ArchiveFacts {
  CodeOutline outline;
  // Names of the classes that loading imports, in libtorch's order.
  std::vector<std::string> classes;
};

// Walks every pickle and every source file of the archive. ERR_MODEL_LOAD.
ArchiveFacts inspectArchive(const TorchArchive& archive);

}  // namespace espalier
