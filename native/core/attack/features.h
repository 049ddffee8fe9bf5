#pragma once

#include <functional>

#include "core/attack/transfer.h"

namespace espalier {

// What the classifier of a model gets for each sample, in evaluation: [N, D], on the model's device. `tick`
// is called before each batch, and may throw. ERR_MODEL_UNSUPPORTED where the classifier is called more than
// once, or gets no matrix.
at::Tensor featuresOf(const Model& model, const Dataset& dataset, const std::function<void()>& tick);

}  // namespace espalier
