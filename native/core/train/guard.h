#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "core/model.h"

namespace espalier {

// Notices on the device when a loss or gradient is not finite, without reading anything back: once the flag
// is up every later update is skipped, so the flag may be read many steps later.
class DivergenceGuard {
 public:
  explicit DivergenceGuard(c10::Device device);

  // Raises the flag if `loss` or a gradient is not finite. `scaledSkip`: with loss scaling an overflowing
  // gradient is expected and skips one step only.
  void watch(const at::Tensor& loss, const std::vector<at::Tensor>& gradients, bool gradientsMayOverflow);
  // Float, one element: 1 where the optimiser must not update.
  const at::Tensor& skip() const { return skip_; }
  // For the loss scaler: whether a gradient of this step overflowed.
  const at::Tensor& overflowed() const { return overflowed_; }
  void nextStep();

  // Reads the flag: waits for the device.
  bool raised() const;
  void reset();

 private:
  at::Tensor bad_;         // stays up
  at::Tensor overflowed_;  // of one step
  at::Tensor skip_;
};

// What the replay of a bad step found.
struct DivergenceFinding {
  std::string layer;             // empty: no layer's output, nor gradient, was at fault
  std::vector<int64_t> samples;  // positions in the dataset
  std::string what;              // "loss", "gradient", "input", "output"
};

// The first layer (in the order of execution) whose output on `inputs` is not finite; "" when all are.
std::string firstNonFiniteLayer(const Model& model, const at::Tensor& inputs, Mode mode);

}  // namespace espalier
