#pragma once

#include <vector>

#include <torch/types.h>

namespace espalier {

// Sharpness-aware minimisation: a step takes its gradient not at the weights w but at w + e, where the loss
// is highest nearby to first order, and is made from w.
struct Sharpness {
  double rho = 0;         // how far; 0: not at all
  bool adaptive = false;  // in units of each weight's size
};

// Moves the weights to w + e by the gradients g that they hold, which are dropped; returns w.
//   e = rho g / ||g||                          (Foret et al. 2021, eq. 2)
//   adaptive: e = rho w^2 g / || |w| g ||      (Kwon et al. 2021)
// The norm is over all weights together. `masks` are those of an Optimizer: a weight that is held stays, and
// does not count.
std::vector<at::Tensor> climb(const std::vector<at::Tensor>& weights, const std::vector<at::Tensor>& masks,
                              const Sharpness& sharpness);

// Back to w, bit for bit.
void putBack(const std::vector<at::Tensor>& weights, const std::vector<at::Tensor>& before);

}  // namespace espalier
