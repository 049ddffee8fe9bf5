#include "core/train/collected.h"

#include <torch/utils.h>

namespace espalier {

void putBack(const std::vector<at::Tensor>& weights, Model& model) {
  const std::vector<at::Tensor> own = model.weights();
  if (weights.size() != own.size()) {
    fail(ErrorCode::kOutOfRange, "expected ", own.size(), " tensors of the best weights, found ",
         weights.size());
  }
  const torch::NoGradGuard noGrad;
  for (size_t i = 0; i < own.size(); ++i) own[i].copy_(weights[i]);
}

}  // namespace espalier
