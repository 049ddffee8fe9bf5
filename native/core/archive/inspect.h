#pragma once

#include <deque>
#include <string>
#include <vector>

#include "core/archive/nesting.h"
#include "core/archive/pickle.h"
#include "core/archive/torch_archive.h"

namespace espalier {

struct PickleRecord {
  std::string where;    // for messages: the file and the record
  std::string content;  // the pickle's texts point into it
  Pickle pickle;
};

struct ArchiveFacts {
  CodeOutline outline;
  // constants.pkl and data.pkl; a deque, because the texts must stay where they are.
  std::deque<PickleRecord> pickles;
  // Names of the classes that loading imports, in libtorch's order.
  std::vector<std::string> classes;
};

// Walks every pickle and every source file of the archive. ERR_MODEL_LOAD.
ArchiveFacts inspectArchive(const TorchArchive& archive);

}  // namespace espalier
