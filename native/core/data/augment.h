#pragma once

#include <torch/types.h>

#include "core/data/stream.h"

namespace espalier {

// `inputs`, changed at random: [n, C, H, W] float32 in [0, 1]. What happens to an image depends on seed,
// epoch and its position alone, never on its neighbours in the batch.
at::Tensor augment(at::Tensor inputs, const Augmentation& augmentation, uint64_t seed, int64_t epoch,
                   const at::Tensor& positions);

}  // namespace espalier
