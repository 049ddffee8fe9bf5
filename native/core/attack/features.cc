#include "core/attack/features.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"

namespace espalier {

at::Tensor featuresOf(const Model& model, const Dataset& dataset, const std::function<void()>& tick) {
  constexpr int64_t kBatch = 256;
  const torch::NoGradGuard noGrad;
  const size_t head = headLayer(model);
  const std::vector<TapPoint> points = {{head, TapPoint::Side::kInput}};
  std::vector<at::Tensor> batches;
  for (int64_t begin = 0; begin < dataset.size(); begin += kBatch) {
    tick();
    const int64_t end = std::min(dataset.size(), begin + kBatch);
    Taps taps;
    model.logits(dataset.gather(at::arange(begin, end, at::kLong), model.device()).inputs, Mode::kEval,
                 points, taps);
    if (taps[0].size() != 1 || taps[0][0].dim() != 2) {
      fail(ErrorCode::kModelUnsupported,
           "expected a classifier that is called once with features [N, D], found ", taps[0].size(),
           " calls of layer ", model.layers()[head].path, " with inputs of ",
           taps[0].empty() ? 0 : taps[0][0].dim(), " dimensions");
    }
    batches.push_back(taps[0][0]);
  }
  return torch::cat(batches);
}

}  // namespace espalier
