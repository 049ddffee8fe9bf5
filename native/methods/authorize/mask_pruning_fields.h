#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/data/domain.h"
#include "core/fields.h"
#include "core/mask.h"
#include "core/model.h"
#include "core/objectives/cap.h"
#include "core/prune/candidates.h"
#include "core/prune/layer_figures.h"
#include "core/source_targets.h"
#include "core/train/autocast.h"

// Inputs, options and report of authorize.maskPruning.
namespace espalier {

namespace mask_pruning {

enum class Variant { kSourceAvailable, kSourceFree, kDataFree };
enum class Labels { kGiven, kPseudo };

}  // namespace mask_pruning

template <>
struct EnumNames<mask_pruning::Variant> {
  using E = mask_pruning::Variant;
  static constexpr EnumName<E> kNames[] = {
      {E::kSourceAvailable, "sourceAvailable"}, {E::kSourceFree, "sourceFree"}, {E::kDataFree, "dataFree"}};
};
template <>
struct EnumNames<mask_pruning::Labels> {
  using E = mask_pruning::Labels;
  static constexpr EnumName<E> kNames[] = {{E::kGiven, "given"}, {E::kPseudo, "pseudo"}};
};

namespace mask_pruning {

struct Inputs {
  std::shared_ptr<Model> model;
  std::optional<std::shared_ptr<Domain>> source;               // sourceAvailable
  std::optional<std::vector<std::shared_ptr<Domain>>> target;  // sourceAvailable, sourceFree
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("source", source);
    visit("target", target);
  }
};

struct GeneratorOptions {
  int64_t latent = 128;
  int64_t channels = 32;
  int64_t steps = 500;
  int64_t laterSteps = 100;
  int64_t batchSize = 64;
  double learningRate = 1e-3;
  double weightNorm = 10;         // of the statistics that batch norms hold
  double weightActivation = 0.1;  // in their place, for a model without any
  double weightDiversity = 1;
  double weightVariation = 1e-3;
  double weightMagnitude = 1e-4;
  double weightDisagreement = 0.5;
  int64_t memory = 2000;
  double confidence = 0.8;
  template <class V>
  void fields(V&& visit) {
    visit("latent", latent, {.min = 1, .max = 65536});
    visit("channels", channels, {.min = 4, .max = 4096});
    visit("steps", steps, {.min = 1, .max = 10000000});
    visit("laterSteps", laterSteps, {.min = 1, .max = 10000000});
    visit("batchSize", batchSize, {.min = 2, .max = 65536});
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("weightNorm", weightNorm, {.min = 0});
    visit("weightActivation", weightActivation, {.min = 0});
    visit("weightDiversity", weightDiversity, {.min = 0});
    visit("weightVariation", weightVariation, {.min = 0});
    visit("weightMagnitude", weightMagnitude, {.min = 0});
    visit("weightDisagreement", weightDisagreement, {.min = 0});
    visit("memory", memory, {.min = 2, .max = 10000000});
    visit("confidence", confidence, {.min = 0, .max = 1});
  }
};

struct DiversifierOptions {
  int64_t directions = 4;
  int64_t steps = 100;
  double learningRate = 1e-2;
  double weightInformation = 0.1;
  double leastAccuracy = 0.5;
  template <class V>
  void fields(V&& visit) {
    visit("directions", directions, {.min = 1, .max = 256});
    visit("steps", steps, {.min = 1, .max = 10000000});
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("weightInformation", weightInformation, {.min = 0});
    visit("leastAccuracy", leastAccuracy, {.min = 0, .max = 1});
  }
};

struct Options {
  Variant variant = Variant::kSourceAvailable;
  double lambda = 0.1;
  std::optional<double> beta;  // each variant has a default of its own
  CapOver capOver = CapOver::kSample;
  double scoreStart = 0.01;
  double threshold = 0.005;
  std::optional<double> learningRate;  // as beta
  std::optional<int64_t> steps;        // as beta
  int64_t batchSize = 32;
  int64_t readings = 6;
  double sourceFloor = 0.02;
  WeightPatterns weights;
  bool keepHead = false;
  std::optional<double> maxPruned;
  bool controls = true;
  Precision precision = Precision::kFloat32;
  std::optional<Labels> targetLabels;              // sourceAvailable
  std::optional<int64_t> rounds;                   // sourceFree, dataFree
  std::optional<GeneratorOptions> generator;       // sourceFree, dataFree
  std::optional<std::vector<int64_t>> imageShape;  // dataFree
  std::optional<DiversifierOptions> diversifier;   // dataFree
  template <class V>
  void fields(V&& visit) {
    visit("variant", variant, {.required = true});
    visit("lambda", lambda, {.min = 0});
    visit("beta", beta, {.min = 0, .exclusiveMin = true});
    visit("capOver", capOver);
    visit("scoreStart", scoreStart);
    visit("threshold", threshold);
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("steps", steps, {.min = 1, .max = 10000000});
    visit("batchSize", batchSize, {.min = 1, .max = 1048576});
    visit("readings", readings, {.min = 1, .max = 100000});
    visit("sourceFloor", sourceFloor, {.min = 0, .max = 1});
    weights.fields(visit);
    visit("keepHead", keepHead);
    visit("maxPruned", maxPruned, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("controls", controls);
    visit("precision", precision);
    visit("targetLabels", targetLabels);
    visit("rounds", rounds, {.min = 1, .max = 10000});
    visit("generator", generator);
    visit("imageShape", imageShape, {.min = 1, .max = 16384});
    visit("diversifier", diversifier);
  }
};

struct Reading {
  int64_t step = 0;
  double sourceLoss = 0;             // means since the last reading
  std::optional<double> targetLoss;  // null with lambda 0
  double sourceAccuracy = 0;
  double pruned = 0;
  bool holdsFloor = false;
  template <class V>
  void fields(V&& visit) {
    visit("step", step);
    visit("sourceLoss", sourceLoss);
    visit("targetLoss", targetLoss);
    visit("sourceAccuracy", sourceAccuracy);
    visit("pruned", pruned);
    visit("holdsFloor", holdsFloor);
  }
};

// Another mask on the same model, measured alike.
struct ControlFigures {
  std::string name;
  double pruned = 0;
  double source = 0;
  std::vector<std::optional<double>> targets;
  template <class V>
  void fields(V&& visit) {
    visit("name", name);
    visit("pruned", pruned);
    visit("source", source);
    visit("targets", targets);
  }
};

// How many different samples were read, of any role.
struct SamplesRead {
  int64_t source = 0;
  int64_t target = 0;
  int64_t generated = 0;  // made, not read
  template <class V>
  void fields(V&& visit) {
    visit("source", source);
    visit("target", target);
    visit("generated", generated);
  }
};

// One training of the generator.
struct GeneratorRound {
  double agreement = 0;   // share of its images that the model labels as they were conditioned
  double confidence = 0;  // mean of the model's on them
  int64_t remembered = 0;
  int64_t fewest = 0;                // images in memory of the class that has the fewest
  std::optional<double> statistics;  // the batch norms' loss; null for a model without
  template <class V>
  void fields(V&& visit) {
    visit("agreement", agreement);
    visit("confidence", confidence);
    visit("remembered", remembered);
    visit("fewest", fewest);
    visit("statistics", statistics);
  }
};

// One training of a diversifier.
struct DiversifierRound {
  int64_t direction = 0;
  double meaning = 0;      // discrepancy of classes
  double information = 0;  // upper bound, nats
  double accuracy = 0;     // of the model on its images
  template <class V>
  void fields(V&& visit) {
    visit("direction", direction);
    visit("meaning", meaning);
    visit("information", information);
    visit("accuracy", accuracy);
  }
};

struct Report : SparsityFigures {
  SourceOutcome<std::optional<std::string>> source;  // without a name: generated images
  std::vector<TargetOutcome> targets;
  std::vector<Reading> readings;
  std::vector<ControlFigures> controls;
  std::vector<GeneratorRound> generator;
  std::vector<DiversifierRound> diversifier;
  SamplesRead read;
  std::string dense;
  int64_t steps = 0;
  template <class V>
  void fields(V&& visit) {
    SparsityFigures::fields(visit);
    visit("source", source);
    visit("targets", targets);
    visit("readings", readings);
    visit("controls", controls);
    visit("generator", generator);
    visit("diversifier", diversifier);
    visit("read", read);
    visit("dense", dense);
    visit("steps", steps);
  }
};

struct Output {
  std::shared_ptr<Model> model;
  std::shared_ptr<Mask> mask;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("mask", mask);
  }
};

}  // namespace mask_pruning

}  // namespace espalier
