#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "core/data/stream.h"
#include "core/error.h"
#include "core/model.h"
#include "core/train/guard.h"

namespace espalier {

// Looks at what a step computes while the trainer replays a stretch that went wrong, and notes the first
// thing that is not finite, with its layer and its samples. It reads the device at every call: that is why
// training itself only has the guard's flag.
class Diagnosis {
 public:
  explicit Diagnosis(const std::vector<std::shared_ptr<Model>>& models) : models_(models) {}

  void beginStep(const std::vector<Batch>& batches);
  void seeForward(Model& model, const at::Tensor& inputs, Mode mode, const at::Tensor& logits);
  void seeBackward(const at::Tensor& loss, const std::vector<at::Tensor>& parameters,
                   const at::Tensor& perSample);
  // The weight or statistic that a step spoiled ("": none), and what an evaluation says of the model after
  // it.
  void seeAfter(const std::string& path, const Error* answers);

  // ERR_DIVERGED about `step` of `phase`, with the first of the models; an empty `checkpoint` is none.
  Error error(int64_t step, const std::string& phase, const std::string& checkpoint) const;

 private:
  std::string pathOf(const at::Tensor& parameter) const;
  void nameSamples(const at::Tensor& inputs, const std::vector<int64_t>& rows);

  const std::vector<std::shared_ptr<Model>>& models_;
  std::vector<Batch> batches_;
  DivergenceFinding finding_;
};

}  // namespace espalier
