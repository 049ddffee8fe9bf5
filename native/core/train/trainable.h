#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/mask.h"
#include "core/model.h"

namespace espalier {

// Parameters for an optimiser, each with the mask that it is held under (undefined: none).
struct Trainable {
  std::vector<at::Tensor> parameters;
  std::vector<at::Tensor> masks;
};

// The model's parameters that have a gradient, those that `chosen` says by path where it is given. `mask` may
// be null.
Trainable trainableOf(const Model& model, const Mask* mask,
                      const std::function<bool(const std::string& path)>& chosen = {});

}  // namespace espalier
