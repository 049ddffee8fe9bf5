#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/data/domain.h"
#include "core/data/stream.h"
#include "core/fields.h"
#include "core/model.h"
#include "core/train/optimizer.h"

namespace espalier {

// How somebody who holds a model trains it on a domain of his own.
enum class TransferOptimizer { kAdam, kSgd };
template <>
struct EnumNames<TransferOptimizer> {
  static constexpr EnumName<TransferOptimizer> kNames[] = {{TransferOptimizer::kAdam, "adam"},
                                                           {TransferOptimizer::kSgd, "sgd"}};
};
enum class TransferStart { kKeep, kFresh };
template <>
struct EnumNames<TransferStart> {
  static constexpr EnumName<TransferStart> kNames[] = {{TransferStart::kKeep, "keep"},
                                                       {TransferStart::kFresh, "fresh"}};
};
enum class TransferLayers { kAll, kHead };
template <>
struct EnumNames<TransferLayers> {
  static constexpr EnumName<TransferLayers> kNames[] = {{TransferLayers::kAll, "all"},
                                                        {TransferLayers::kHead, "head"}};
};

// How it is trained, without how long.
struct TransferUpdates {
  int64_t batchSize = 32;
  TransferOptimizer optimizer = TransferOptimizer::kAdam;
  std::vector<double> learningRates = {1e-3};  // the best on select data is taken
  double weightDecay = 0;
  double momentum = 0.9;  // sgd
  // The update rule; the learning rate is given a step.
  OptimizerOptions rule() const;
  template <class V>
  void fields(V&& visit) {
    visit("batchSize", batchSize, {.min = 1, .max = 1048576});
    visit("optimizer", optimizer);
    visit("learningRates", learningRates, {.min = 0, .exclusiveMin = true});
    visit("weightDecay", weightDecay, {.min = 0});
    visit("momentum", momentum, {.min = 0, .max = 1, .exclusiveMax = true});
  }
};

struct TransferTraining : TransferUpdates {
  TransferTraining() = default;
  TransferTraining(const TransferUpdates& updates, int64_t steps) : TransferUpdates(updates), steps(steps) {}

  int64_t steps = 150;
  template <class V>
  void fields(V&& visit) {
    visit("steps", steps, {.min = 1, .max = 10000000});
    TransferUpdates::fields(visit);
  }
};

struct TransferOptions : TransferTraining {
  TransferOptions() = default;
  explicit TransferOptions(const TransferTraining& training) : TransferTraining(training) {}

  bool maskHeld = true;                            // zeros of the model stay zero
  TransferStart head = TransferStart::kKeep;       // the last layer with parameters, in order of execution
  TransferStart batchNorm = TransferStart::kKeep;  // fresh: scale 1, shift 0, running statistics 0 and 1
  TransferLayers layers = TransferLayers::kAll;
  template <class V>
  void fields(V&& visit) {
    TransferTraining::fields(visit);
    visit("maskHeld", maskHeld);
    visit("head", head);
    visit("batchNorm", batchNorm);
    visit("layers", layers);
  }

  // Where only the head is trained the features are those of evaluation.
  Mode mode() const { return layers == TransferLayers::kHead ? Mode::kEval : Mode::kTrain; }
  // ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE where they contradict each other.
  void check() const;
};

// The index, among the layers of the eval graph, of the classifier. ERR_MODEL_UNSUPPORTED where no layer has
// parameters.
size_t headLayer(const Model& model);

// What an attacker starts from: a copy with head and batch norms as the options say, all of it trainable.
std::shared_ptr<Model> startTransfer(const Model& model, const TransferOptions& options, uint64_t seed);

// Refuses data of other classes than the model's outputs: ERR_DATA_INVALID. `who`: "the model".
void requireClasses(const Model& model, const Domain& domain, const Dataset& dataset, std::string_view who);

// What is trained of the model, with its masks, and the batches that it is trained on.
Optimizer transferOptimizer(const Model& model, const TransferOptions& options);
StreamOptions transferStream(const Dataset& samples, const TransferOptions& options);

// Trains `model`, which nobody else holds, in place. A pure function of its arguments on one thread: no job,
// so that several run at once. `tick` is called before each step, and may throw. Returns whether the last
// loss was a number.
bool trainTransfer(Model& model, const FitData& samples, const TransferOptions& options, double learningRate,
                   uint64_t seed, const std::function<void()>& tick);

// The first `count` of the domain's fit samples in an order drawn by `seed`, stratified, for each count:
// smaller sets inside larger ones. `counts` ascending.
std::vector<FitData> nestedSamples(const FitData& fit, const std::vector<int64_t>& counts, uint64_t seed);

}  // namespace espalier
