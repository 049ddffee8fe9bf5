#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "core/error.h"
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

// The weights and buffers of the models that are trained, as far as they were finite at the start: a buffer
// may be infinite on purpose. What a step leaves in them is seen by no loss before the next step, nor after
// the last.
class WeightWatch {
 public:
  explicit WeightWatch(const std::vector<std::shared_ptr<Model>>& models);

  // The path of the first that is not finite any more; "" when all are. Waits for the device.
  std::string firstNotFinite() const;

 private:
  using Named = std::pair<std::string, at::Tensor>;
  std::vector<Named> watched() const;

  std::vector<std::shared_ptr<Model>> models_;
  std::set<const void*> leftOut_;  // by their place in memory
};

// Thrown by an evaluation: a model's answers to some samples are no numbers. ERR_MODEL_RUN { samples, layer?
// }; the trainer makes ERR_DIVERGED of it where it trains that model.
class NotFinite : public Error {
 public:
  // `samples` are positions in the dataset, `inputs` those of the first.
  NotFinite(const Model& model, at::Tensor inputs, const std::vector<int64_t>& samples);

  bool isAbout(const std::vector<std::shared_ptr<Model>>& models) const;
  // Whether the model, as it is now, still answers so.
  bool holds() const;

 private:
  const Model* model_;  // outlives the evaluation that throws
  at::Tensor inputs_;
};

// True for a row of logits that has a softmax: no NaN, and no infinity but negative ones beside a number.
at::Tensor areAnswers(const at::Tensor& logits);

// How many samples an error names.
constexpr size_t kMaxNamedSamples = 16;

// What the replay of a bad step found.
struct DivergenceFinding {
  std::string layer;             // empty: no layer's output, nor gradient, was at fault
  std::vector<int64_t> samples;  // positions in the dataset
  std::string what;              // "loss", "gradient", "input", "output"
};

// The first layer (in the order of execution) whose output on `inputs` is not finite; "" when all are.
std::string firstNonFiniteLayer(const Model& model, const at::Tensor& inputs, Mode mode);

}  // namespace espalier
