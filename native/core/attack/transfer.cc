#include "core/attack/transfer.h"

#include <algorithm>
#include <unordered_set>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/mask.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/train/randomness.h"

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

// Everything but the paths stays as it is.
std::shared_ptr<Model> reinitializeOnly(const Model& model, const std::unordered_set<std::string>& fresh,
                                        uint64_t seed) {
  std::vector<std::string> keep;
  for (const auto* list : {&model.parameters(), &model.buffers()}) {
    for (const ParameterInfo& info : *list) {
      const bool isFresh =
          fresh.contains(info.path) || std::any_of(info.aliases.begin(), info.aliases.end(),
                                                   [&](const auto& alias) { return fresh.contains(alias); });
      if (!isFresh) keep.push_back(info.path);
    }
  }
  return model.reinitialize(seed, keep);
}

}  // namespace

OptimizerOptions TransferTraining::rule() const {
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
  std::unordered_set<std::string> fresh;
  const auto reset = [&](const Layer& layer) {
    for (const std::string& path : pathsOf(layer)) fresh.insert(path);
  };
  if (options.head == TransferStart::kFresh) reset(model.layers()[headLayer(model)]);
  if (options.batchNorm == TransferStart::kFresh) {
    for (const Layer& layer : model.layers()) {
      if (isBatchNorm(layer)) reset(layer);
    }
  }
  std::shared_ptr<Model> start =
      fresh.empty() ? model.clone() : reinitializeOnly(model, fresh, mixSeed(seed, "start"));
  // Whoever holds the file may train all of it.
  for (const ParameterInfo& parameter : start->parameters()) {
    if (parameter.tensor.is_floating_point()) parameter.tensor.set_requires_grad(true);
  }
  return start;
}

Optimizer transferOptimizer(const Model& model, const TransferOptions& options) {
  std::vector<at::Tensor> masks(model.parameters().size());
  if (options.maskHeld) masks = Mask::ofNonZeros(model)->parallelTo(model);
  std::unordered_set<std::string> chosen;
  if (options.layers == TransferLayers::kHead) {
    for (const std::string& path : pathsOf(model.layers()[headLayer(model)])) chosen.insert(path);
  }
  std::vector<at::Tensor> trained;
  std::vector<at::Tensor> trainedMasks;
  for (size_t i = 0; i < masks.size(); ++i) {
    const ParameterInfo& parameter = model.parameters()[i];
    if (!parameter.tensor.requires_grad()) continue;
    if (!chosen.empty() && !chosen.contains(parameter.path)) continue;
    trained.push_back(parameter.tensor);
    trainedMasks.push_back(masks[i]);
  }
  return {options.rule(), std::move(trained), std::move(trainedMasks)};
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
    const at::Tensor logits = model.logits(batch.inputs, mode);
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
