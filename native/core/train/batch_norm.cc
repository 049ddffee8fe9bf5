#include "core/train/batch_norm.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/data/stream.h"
#include "core/random.h"

namespace espalier {

void refreshBatchNorm(Model& model, const FitData& data, int64_t batches, int64_t batchSize, Job& job) {
  const std::vector<Layer>& layers = model.layers();
  const bool any = std::any_of(layers.begin(), layers.end(),
                               [](const Layer& layer) { return layer.kind == LayerKind::kBatchNorm; });
  if (!any) return;
  const torch::NoGradGuard noGrad;
  StreamOptions options;
  options.batchSize = batchSize;
  options.seed = mixSeed(job.seed(), "batch norm");
  BatchStream stream(data.dataset(), options, job.device());
  for (int64_t i = 0; i < batches; ++i) {
    job.checkCancelled();
    model.logits(stream.at(i / stream.batchesPerEpoch(), i % stream.batchesPerEpoch()).inputs, Mode::kTrain);
  }
}

}  // namespace espalier
