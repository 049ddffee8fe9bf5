#include "core/attack/transfer.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/mask.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/train/randomness.h"
#include "core/train/trainable.h"

namespace espalier {

namespace {

bool isBatchNorm(const Layer& layer) { return layer.kind == LayerKind::kBatchNorm; }

std::vector<std::string> pathsOf(const Layer& layer) {
  std::vector<std::string> paths = layer.parameterPaths;
  for (const std::string& path : {layer.weightPath, layer.biasPath}) {
    if (!path.empty()) paths.push_back(path);
  }
  for (const char* buffer : {"running_mean", "running_var", "num_batches_tracked"})
    paths.push_back(layer.path.empty() ? buffer : text(layer.path, ".", buffer));
  return paths;
}

}  // namespace

OptimizerOptions TransferUpdates::rule() const {
  OptimizerOptions result;
  result.kind = optimizer == TransferOptimizer::kAdam ? OptimizerKind::kAdam : OptimizerKind::kSgd;
  result.momentum = momentum;
  result.nesterov = false;
  result.weightDecay = weightDecay;
  return result;
}

void TransferOptions::check() const {
  if (learningRates.empty())
    fail(ErrorCode::kOutOfRange, "expected at least one number for learningRates, received none");
  if (layers == TransferLayers::kHead && batchNorm == TransferStart::kFresh) {
    fail(ErrorCode::kInvalidArgType,
         "expected batchNorm 'keep' beside layers 'head', received 'fresh': batch norms that are reset and "
         "not "
         "trained normalise nothing");
  }
}

size_t headLayer(const Model& model) {
  const std::vector<Layer>& layers = model.layers();
  for (size_t i = layers.size(); i > 0; --i) {
    if (!layers[i - 1].weightPath.empty()) return i - 1;
  }
  fail(ErrorCode::kModelUnsupported,
       "expected a model whose last layer has parameters, found no layer with parameters in its code");
}

std::shared_ptr<Model> startTransfer(const Model& model, const TransferOptions& options, uint64_t seed) {
  std::vector<std::string> fresh;
  const auto reset = [&](const Layer& layer) {
    for (const std::string& path : pathsOf(layer)) fresh.push_back(path);
  };
  if (options.head == TransferStart::kFresh) reset(model.layers()[headLayer(model)]);
  if (options.batchNorm == TransferStart::kFresh) {
    for (const Layer& layer : model.layers()) {
      if (isBatchNorm(layer)) reset(layer);
    }
  }
  std::shared_ptr<Model> start =
      fresh.empty() ? model.clone() : model.reinitializeOnly(mixSeed(seed, "start"), fresh);
  // Whoever holds the file may train all of it.
  for (const ParameterInfo& parameter : start->parameters()) {
    if (parameter.tensor.is_floating_point()) parameter.tensor.set_requires_grad(true);
  }
  return start;
}

Optimizer transferOptimizer(const Model& model, const TransferOptions& options) {
  std::shared_ptr<Mask> zeros;
  if (options.maskHeld) zeros = Mask::ofNonZeros(model);
  std::function<bool(const std::string&)> chosen;
  if (options.layers == TransferLayers::kHead) {
    chosen = [head = pathsOf(model.layers()[headLayer(model)])](const std::string& path) {
      return std::find(head.begin(), head.end(), path) != head.end();
    };
  }
  Trainable trainable = trainableOf(model, zeros.get(), chosen);
  return {options.rule(), std::move(trainable.parameters), std::move(trainable.masks)};
}

StreamOptions transferStream(const Dataset& samples, const TransferOptions& options) {
  StreamOptions stream;
  stream.batchSize = std::min(options.batchSize, samples.size());
  // Batch norm cannot normalise a single sample.
  stream.dropLast = samples.size() % stream.batchSize == 1;
  return stream;
}

void requireClasses(const Model& model, const Domain& domain, const Dataset& dataset, std::string_view who) {
  const int64_t outputs = requireClassifier(model, dataset, text("domain ", domain.name()));
  if (outputs == domain.classes()) return;
  fail(ErrorCode::kDataInvalid, "expected domain ", domain.name(), " to have the ", outputs, " classes of ",
       who, ", found ", domain.classes(), ": accuracies are compared over one set of classes");
}

bool trainTransfer(Model& model, const FitData& samples, const TransferOptions& options, double learningRate,
                   uint64_t seed, const std::function<void()>& tick) {
  const c10::Device device = model.device();
  Optimizer optimizer = transferOptimizer(model, options);
  StreamOptions streaming = transferStream(*samples, options);
  streaming.seed = mixSeed(seed, "order");
  BatchStream stream(samples.dataset(), streaming, device);
  const Mode mode = options.mode();
  const bool draws = model.graph(mode).usesRandomness();
  const at::Tensor skip = torch::zeros({1}, at::TensorOptions().dtype(at::kFloat).device(device));
  at::Tensor loss;
  for (int64_t step = 0; step < options.steps; ++step) {
    tick();
    const Batch batch = stream.at(step / stream.batchesPerEpoch(), step % stream.batchesPerEpoch());
    const RandomTurn turn(draws, device, mixSeed(mixSeed(seed, "dropout"), static_cast<uint64_t>(step)));
    const at::Tensor logits = model.trainingLogits(batch.inputs, mode);
    loss = at::cross_entropy_loss(logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat),
                                  batch.labels);
    loss.backward({}, /*retain_graph=*/std::nullopt, /*create_graph=*/false, optimizer.parameters());
    optimizer.step(learningRate, skip);
  }
  return loss.isfinite().item<bool>();
}

std::vector<FitData> nestedSamples(const FitData& fit, const std::vector<int64_t>& counts, uint64_t seed) {
  std::vector<FitData> sets;
  DatasetPtr larger = fit.dataset();
  for (auto count = counts.rbegin(); count != counts.rend(); ++count) {
    // Cut from the next larger one: shares of classes are rounded anew for each count, and could cross.
    if (*count < larger->size()) larger = larger->take(*count, seed, /*stratified=*/true);
    sets.emplace_back(larger);
  }
  std::reverse(sets.begin(), sets.end());
  return sets;
}

}  // namespace espalier
