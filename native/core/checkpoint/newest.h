#pragma once

#include <string>

#include "core/checkpoint/node.h"

namespace espalier {

struct NewestCheckpoint {
  Checkpoint checkpoint;
  std::string path;
  std::string fault;  // why it is not the one at the path that was asked for; else empty
};

// The youngest whole one of those at `path`, path.1, ... Where none is, the error of the one at `path`.
NewestCheckpoint readNewestCheckpoint(const std::string& path, bool trust = false);

}  // namespace espalier
