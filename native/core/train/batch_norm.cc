#include "core/train/batch_norm.h"

#include <algorithm>
#include <set>
#include <string>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/data/stream.h"
#include "core/random.h"

namespace espalier {

namespace {

// The statistics of a model's batch norms.
struct Statistics {
  std::vector<at::Tensor> running;  // means and variances
  std::vector<at::Tensor> counters;

  explicit Statistics(const Model& model) {
    std::set<std::string> ours;
    for (const Layer& layer : model.layers()) {
      if (layer.kind != LayerKind::kBatchNorm) continue;
      const std::string prefix = layer.path.empty() ? "" : layer.path + ".";
      for (const char* name : {"running_mean", "running_var", "num_batches_tracked"})
        ours.insert(prefix + name);
    }
    for (const ParameterInfo& buffer : model.buffers()) {
      if (ours.count(buffer.path) == 0) continue;
      (buffer.tensor.is_floating_point() ? running : counters).push_back(buffer.tensor);
    }
  }
};

}  // namespace

bool hasBatchNorm(const Model& model) {
  const std::vector<Layer>& layers = model.layers();
  return std::any_of(layers.begin(), layers.end(),
                     [](const Layer& layer) { return layer.kind == LayerKind::kBatchNorm; });
}

void refreshBatchNorm(Model& model, const FitData& data, int64_t batches, int64_t batchSize, Job& job) {
  if (!hasBatchNorm(model)) return;
  const torch::NoGradGuard noGrad;
  StreamOptions options;
  options.batchSize = batchSize;
  options.seed = mixSeed(job.seed(), "batch norm");
  BatchStream stream(data.dataset(), options, job.device());
  for (int64_t i = 0; i < batches; ++i) {
    job.checkCancelled();
    model.trainingLogits(stream.at(i / stream.batchesPerEpoch(), i % stream.batchesPerEpoch()).inputs,
                         Mode::kTrain);
  }
}

void reestimateBatchNorm(Model& model, const FitData& data, int64_t batches, int64_t batchSize, Job& job) {
  const Statistics statistics(model);
  if (statistics.running.empty() || batches == 0) return;
  const torch::NoGradGuard noGrad;
  StreamOptions options;
  options.batchSize = std::min(batchSize, data->size());
  options.dropLast = true;
  options.seed = mixSeed(job.seed(), "batch norm");
  BatchStream stream(data.dataset(), options, job.device());
  const int64_t count = std::min(batches, stream.batchesPerEpoch());
  std::vector<at::Tensor> counters;
  for (const at::Tensor& counter : statistics.counters) counters.push_back(counter.clone());
  // From zero, a forward leaves momentum times the batch's statistics; from one, 1 - momentum more.
  const auto forwardFrom = [&](double start, int64_t index) {
    job.checkCancelled();
    for (const at::Tensor& running : statistics.running) running.fill_(start);
    for (size_t i = 0; i < counters.size(); ++i) statistics.counters[i].copy_(counters[i]);
    model.trainingLogits(stream.at(0, index).inputs, Mode::kTrain);
    std::vector<at::Tensor> left;
    for (const at::Tensor& running : statistics.running)
      left.push_back(running.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true));
    return left;
  };
  std::vector<at::Tensor> sums = forwardFrom(0, 0);
  const std::vector<at::Tensor> momenta = [&] {
    std::vector<at::Tensor> fromOne = forwardFrom(1, 0);
    at::_foreach_sub_(fromOne, sums);
    at::_foreach_neg_(fromOne);
    at::_foreach_add_(fromOne, 1);
    return fromOne;
  }();
  for (int64_t i = 1; i < count; ++i) at::_foreach_add_(sums, forwardFrom(0, i));
  for (size_t i = 0; i < sums.size(); ++i) {
    statistics.running[i].copy_(sums[i] / (momenta[i].mean() * static_cast<double>(count)));
  }
}

}  // namespace espalier
