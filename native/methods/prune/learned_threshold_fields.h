#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/inputs.h"
#include "core/mask.h"
#include "core/prune/candidates.h"
#include "core/trail.h"
#include "core/train/supervised_options.h"

// What prune.learnedThreshold takes and tells.
namespace espalier::learned_threshold {

enum class ThresholdRule { kNormalised, kPlain };
enum class WeightGradient { kApproximate, kExact };

struct Inputs : ModelOnDomain {
  std::optional<std::shared_ptr<Model>> teacher;
  template <class V>
  void fields(V&& visit) {
    ModelOnDomain::fields(visit);
    visit("teacher", teacher);
  }
};

// SGD on the master weights, and on what is not pruned.
struct WeightOptions {
  double learningRate = 0.01;
  double momentum = 0.9;
  bool nesterov = false;
  double weightDecay = 0;
  template <class V>
  void fields(V&& visit) {
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("momentum", momentum, {.min = 0, .max = 1, .exclusiveMax = true});
    visit("nesterov", nesterov);
    visit("weightDecay", weightDecay, {.min = 0});
  }
};

struct Target {
  std::optional<double> density;
  std::optional<double> compression;
  template <class V>
  void fields(V&& visit) {
    visit("density", density, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("compression", compression, {.min = 1});
  }
};

struct TrailOptions {
  int64_t every = 1;
  int64_t snapshots = 40;
  template <class V>
  void fields(V&& visit) {
    visit("every", every, {.min = 1});
    visit("snapshots", snapshots, {.min = 1, .max = 1000});
  }
};

struct Options {
  int64_t epochs = 30;
  int64_t fineTuneEpochs = 10;
  int64_t batchSize = 64;
  LiteralOr<"auto", double> lambda;
  LiteralOr<"auto", double> temperature;
  ThresholdRule thresholdRule = ThresholdRule::kNormalised;
  LiteralOr<"auto", double> thresholdRate;
  std::map<std::string, double> layerRates;
  WeightGradient weightGradient = WeightGradient::kApproximate;
  double initialDensity = 1;
  double maxLayerSparsity = 0.999;
  std::optional<Target> target;
  WeightPatterns patterns;
  WeightOptions optimizer;
  Schedule schedule = {.kind = ScheduleKind::kConstant};
  Augmentation augmentation;
  LossOptions loss;
  Precision precision = Precision::kFloat32;
  LiteralOr<"auto", bool> keepZeros;
  TrailOptions trail;
  int64_t refreshBatches = 50;
  template <class V>
  void fields(V&& visit) {
    visit("epochs", epochs, {.min = 1, .max = 100000});
    visit("fineTuneEpochs", fineTuneEpochs, {.min = 0, .max = 100000});
    visit("batchSize", batchSize, {.min = 1, .max = 1048576});
    visit("lambda", lambda, {.min = 0});
    visit("temperature", temperature, {.min = 0, .exclusiveMin = true});
    visit("thresholdRule", thresholdRule);
    visit("thresholdRate", thresholdRate, {.min = 0, .exclusiveMin = true});
    visit("layerRates", layerRates, {.min = 0});
    visit("weightGradient", weightGradient);
    visit("initialDensity", initialDensity, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("maxLayerSparsity", maxLayerSparsity, {.min = 0, .max = 1, .exclusiveMax = true});
    visit("target", target);
    patterns.fields(visit);
    visit("optimizer", optimizer);
    visit("schedule", schedule);
    visit("augmentation", augmentation);
    loss.fields(visit);
    visit("precision", precision);
    visit("keepZeros", keepZeros);
    visit("trail", trail);
    visit("refreshBatches", refreshBatches, {.min = 0, .max = 100000});
  }
};

struct Histogram {
  double largest = 0;           // of the magnitudes; the bins divide [0, largest] evenly
  std::vector<int64_t> counts;  // of the weights as they were trained, before the pruned ones were zeroed
  template <class V>
  void fields(V&& visit) {
    visit("largest", largest);
    visit("counts", counts);
  }
};

struct LayerReport {
  std::string path;
  int64_t weights = 0;
  int64_t kept = 0;
  double density = 0;
  double softDensity = 0;
  double inTransition = 0;          // share with |z| < 4
  double threshold = 0;             // on the magnitude: the root of what is learned
  double temperature = 0;           // of the squared weights
  double thresholdGradient = 0;     // dL/dthreshold of the last step
  int64_t stepsUndone = 0;          // because too few weights would have been left
  int64_t multiplyAccumulates = 0;  // of a sample, dense
  Histogram histogram;
  template <class V>
  void fields(V&& visit) {
    visit("path", path);
    visit("weights", weights);
    visit("kept", kept);
    visit("density", density);
    visit("softDensity", softDensity);
    visit("inTransition", inTransition);
    visit("threshold", threshold);
    visit("temperature", temperature);
    visit("thresholdGradient", thresholdGradient);
    visit("stepsUndone", stepsUndone);
    visit("multiplyAccumulates", multiplyAccumulates);
    visit("histogram", histogram);
  }
};

struct EpochReport {
  int64_t epoch = 0;
  int64_t step = 0;
  double loss = 0;
  double learningRate = 0;
  double density = 0;
  double softDensity = 0;
  double softAccuracy = 0;  // on select data: as trained
  double hardAccuracy = 0;  // with what is below its threshold at zero
  std::vector<double> layerDensity;
  std::vector<double> layerInTransition;
  template <class V>
  void fields(V&& visit) {
    visit("epoch", epoch);
    visit("step", step);
    visit("loss", loss);
    visit("learningRate", learningRate);
    visit("density", density);
    visit("softDensity", softDensity);
    visit("softAccuracy", softAccuracy);
    visit("hardAccuracy", hardAccuracy);
    visit("layerDensity", layerDensity);
    visit("layerInTransition", layerInTransition);
  }
};

struct Accuracies {
  double dense = 0;
  double soft = 0;
  double hard = 0;
  std::optional<double> fineTuned;
  template <class V>
  void fields(V&& visit) {
    visit("dense", dense);
    visit("soft", soft);
    visit("hard", hard);
    visit("fineTuned", fineTuned);
  }
};

struct Report {
  double density = 0;         // share kept of the prunable weights
  double compression = 0;     // its inverse
  double compressionAll = 0;  // all parameters / those that are left
  double macRatio = 0;        // share of the layers' multiplications that is left
  double lambda = 0;          // as used
  double temperature = 0;     // relative, as used
  bool targetReached = false;
  Accuracies accuracy;  // on select data
  std::vector<LayerReport> layers;
  std::vector<EpochReport> epochs;
  std::vector<TrailPoint> trail;
  Value fineTune;  // the figures of train.supervised, or null
  template <class V>
  void fields(V&& visit) {
    visit("density", density);
    visit("compression", compression);
    visit("compressionAll", compressionAll);
    visit("macRatio", macRatio);
    visit("lambda", lambda);
    visit("temperature", temperature);
    visit("targetReached", targetReached);
    visit("accuracy", accuracy);
    visit("layers", layers);
    visit("epochs", epochs);
    visit("trail", trail);
    visit("fineTune", fineTune);
  }
};

struct Output {
  std::shared_ptr<Model> model;
  std::shared_ptr<Mask> mask;
  std::shared_ptr<Trail> trail;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("mask", mask);
    visit("trail", trail);
  }
};

}  // namespace espalier::learned_threshold

namespace espalier {

template <>
struct EnumNames<learned_threshold::ThresholdRule> {
  static constexpr EnumName<learned_threshold::ThresholdRule> kNames[] = {
      {learned_threshold::ThresholdRule::kNormalised, "normalised"},
      {learned_threshold::ThresholdRule::kPlain, "plain"}};
};
template <>
struct EnumNames<learned_threshold::WeightGradient> {
  static constexpr EnumName<learned_threshold::WeightGradient> kNames[] = {
      {learned_threshold::WeightGradient::kApproximate, "approximate"},
      {learned_threshold::WeightGradient::kExact, "exact"}};
};

}  // namespace espalier
