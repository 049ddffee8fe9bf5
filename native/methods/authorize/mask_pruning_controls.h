#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "core/prune/candidates.h"

// Masks that prune as many weights of each layer as another, and know nothing of a target: bool, true where
// kept, one a candidate.
namespace espalier::mask_pruning {

std::vector<at::Tensor> randomMasks(const std::vector<Candidate>& candidates,
                                    const std::vector<int64_t>& pruned, uint64_t seed);
std::vector<at::Tensor> magnitudeMasks(const std::vector<Candidate>& candidates,
                                       const std::vector<int64_t>& pruned);

}  // namespace espalier::mask_pruning
