#pragma once

#include "core/zoo/author.h"
#include "core/zoo/zoo.h"

namespace espalier {

// One row an architecture: what its options may be, and how it is written. Options are checked by the caller.
struct ArchitectureSpec {
  Architecture architecture;
  std::vector<int64_t> widths;  // the default; empty: the architecture takes none
  size_t countWidths;           // how many it takes; 0: any number, at least one
  int64_t (*smallestInput)(const std::vector<int64_t>& widths);
  torch::jit::Module (*author)(const Author& author, const CreateOptions& options,
                               const std::vector<int64_t>& widths);
};

const ArchitectureSpec& architectureSpec(Architecture architecture);

}  // namespace espalier
