#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/data/domain.h"
#include "core/fields.h"
#include "core/key.h"
#include "core/model.h"
#include "core/objectives/cap.h"
#include "core/objectives/mmd.h"
#include "core/patch.h"
#include "core/source_targets.h"
#include "core/train/autocast.h"

// Inputs, options and report of authorize.nonTransferableLearning.
namespace espalier {

namespace non_transferable_learning {

enum class Variant { kTargetSpecified, kSourceOnly, kOwnership, kAuthorization };
enum class Preset { kEspalier, kPaper };
enum class Reduction { kBatchMean, kElementwise };
enum class BatchNorm { kJoint, kFrozen };

}  // namespace non_transferable_learning

template <>
struct EnumNames<non_transferable_learning::Variant> {
  using E = non_transferable_learning::Variant;
  static constexpr EnumName<E> kNames[] = {{E::kTargetSpecified, "targetSpecified"},
                                           {E::kSourceOnly, "sourceOnly"},
                                           {E::kOwnership, "ownership"},
                                           {E::kAuthorization, "authorization"}};
};
template <>
struct EnumNames<non_transferable_learning::Preset> {
  using E = non_transferable_learning::Preset;
  static constexpr EnumName<E> kNames[] = {{E::kEspalier, "espalier"}, {E::kPaper, "paper"}};
};
template <>
struct EnumNames<non_transferable_learning::Reduction> {
  using E = non_transferable_learning::Reduction;
  static constexpr EnumName<E> kNames[] = {{E::kBatchMean, "batchMean"}, {E::kElementwise, "elementwise"}};
};
template <>
struct EnumNames<non_transferable_learning::BatchNorm> {
  using E = non_transferable_learning::BatchNorm;
  static constexpr EnumName<E> kNames[] = {{E::kJoint, "joint"}, {E::kFrozen, "frozen"}};
};

namespace non_transferable_learning {

struct Inputs {
  std::shared_ptr<Model> model;
  std::shared_ptr<Domain> source;
  std::optional<std::vector<std::shared_ptr<Domain>>> target;  // targetSpecified; authorization: optional
  std::optional<std::shared_ptr<Key>> key;                     // ownership, authorization
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("source", source);
    visit("target", target);
    visit("key", key);
  }
};

struct KernelOptions : MmdKernels {
  template <class V>
  void fields(V&& visit) {
    visit("count", count, {.min = 1, .max = 64});
    visit("factor", factor, {.min = 1, .exclusiveMin = true});
  }
};

struct AugmentationOptions {
  int64_t latent = 128;
  int64_t channels = 128;  // of the artist's first convolution, and twice those of the critic's last
  int64_t steps = 800;
  int64_t batchSize = 64;
  double learningRate = 2e-4;
  double classWeight = 0.1;
  std::vector<double> distances = {0.1, 0.2, 0.3, 0.4, 0.5};
  int64_t directions = 4;
  int64_t distanceSteps = 60;
  int64_t imagesPerCell = 512;
  template <class V>
  void fields(V&& visit) {
    visit("latent", latent, {.min = 1, .max = 65536});
    visit("channels", channels, {.min = 16, .max = 16384});
    visit("steps", steps, {.min = 1, .max = 10000000});
    visit("batchSize", batchSize, {.min = 2, .max = 65536});
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("classWeight", classWeight, {.min = 0});
    visit("distances", distances, {.min = 0, .exclusiveMin = true});
    visit("directions", directions, {.min = 1, .max = 64});
    visit("distanceSteps", distanceSteps, {.min = 1, .max = 10000000});
    visit("imagesPerCell", imagesPerCell, {.min = 2, .max = 10000000});
  }
};

struct Options {
  Variant variant = Variant::kTargetSpecified;
  Preset preset = Preset::kEspalier;  // names the values that the caller's layer filled in
  double alpha = 1;
  LiteralOr<"off", double> beta = {1.0};
  double capTarget = 5;
  CapOver capOver = CapOver::kSample;
  double capDiscrepancy = 1;
  Reduction reduction = Reduction::kBatchMean;
  std::optional<std::string> featureLayer;
  KernelOptions kernels;
  BatchNorm batchNorm = BatchNorm::kFrozen;
  std::optional<int64_t> steps;  // each variant has a default of its own
  std::optional<int64_t> epochs;
  int64_t batchSize = 32;
  double learningRate = 1e-3;
  double learningRateDecay = 1;  // a step
  double weightDecay = 0;
  int64_t readings = 6;
  double sourceFloor = 0.02;
  int64_t refreshBatches = 40;
  bool control = true;
  LiteralOr<"auto", bool> keepZeros;
  Precision precision = Precision::kFloat32;
  std::optional<AugmentationOptions> augmentation;  // sourceOnly
  // ownership, authorization
  std::optional<PatchOptions> patch;
  std::optional<double> decoys;  // share of the plain source images
  template <class V>
  void fields(V&& visit) {
    visit("variant", variant, {.required = true});
    visit("preset", preset);
    visit("alpha", alpha, {.min = 0});
    visit("beta", beta, {.min = 0});
    visit("capTarget", capTarget, {.min = 0, .exclusiveMin = true});
    visit("capOver", capOver);
    visit("capDiscrepancy", capDiscrepancy, {.min = 0, .exclusiveMin = true});
    visit("reduction", reduction);
    visit("featureLayer", featureLayer);
    visit("kernels", kernels);
    visit("batchNorm", batchNorm);
    visit("steps", steps, {.min = 1, .max = 10000000});
    visit("epochs", epochs, {.min = 1, .max = 100000});
    visit("batchSize", batchSize, {.min = 2, .max = 1048576});
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("learningRateDecay", learningRateDecay, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("weightDecay", weightDecay, {.min = 0});
    visit("readings", readings, {.min = 1, .max = 100000});
    visit("sourceFloor", sourceFloor, {.min = 0, .max = 1});
    visit("refreshBatches", refreshBatches, {.min = 0, .max = 100000});
    visit("control", control);
    visit("keepZeros", keepZeros);
    visit("precision", precision);
    visit("augmentation", augmentation);
    visit("patch", patch);
    visit("decoys", decoys, {.min = 0, .max = 1});
  }
};

// The images of one distance and direction.
struct CellFigures {
  double distance = 0;
  int64_t direction = 0;
  double discrepancy = 0;  // at the end
  double agreement = 0;    // of the critic
  template <class V>
  void fields(V&& visit) {
    visit("distance", distance);
    visit("direction", direction);
    visit("discrepancy", discrepancy);
    visit("agreement", agreement);
  }
};

struct AugmentationFigures {
  int64_t images = 0;
  double agreement = 0;  // of the given model
  std::vector<CellFigures> cells;
  template <class V>
  void fields(V&& visit) {
    visit("images", images);
    visit("agreement", agreement);
    visit("cells", cells);
  }
};

struct Reading {
  int64_t step = 0;
  // Means since the last reading.
  double sourceLoss = 0;
  std::optional<double> targetLoss;  // null in the control
  std::optional<double> discrepancy;
  double sourceAccuracy = 0;  // on select data
  bool holdsFloor = false;
  template <class V>
  void fields(V&& visit) {
    visit("step", step);
    visit("sourceLoss", sourceLoss);
    visit("targetLoss", targetLoss);
    visit("discrepancy", discrepancy);
    visit("sourceAccuracy", sourceAccuracy);
    visit("holdsFloor", holdsFloor);
  }
};

struct TargetAccuracy {
  std::string domain;
  std::optional<double> accuracy;
  template <class V>
  void fields(V&& visit) {
    visit("domain", domain);
    visit("accuracy", accuracy);
  }
};

// The model trained as long on the source alone.
struct ControlFigures {
  double source = 0;
  std::vector<TargetAccuracy> targets;
  template <class V>
  void fields(V&& visit) {
    visit("source", source);
    visit("targets", targets);
  }
};

struct PatchFigures {
  std::string digest;
  int64_t pixels = 0;
  template <class V>
  void fields(V&& visit) {
    visit("digest", digest);
    visit("pixels", pixels);
  }
};

struct Report {
  std::string featureLayer;  // where the discrepancy is taken
  int64_t features = 0;      // how many a sample has there
  SourceOutcome<std::string> source;
  std::vector<TargetOutcome> targets;
  std::vector<Reading> readings;
  int64_t steps = 0;
  std::optional<ControlFigures> control;
  std::optional<AugmentationFigures> augmentation;
  std::optional<PatchFigures> patch;
  template <class V>
  void fields(V&& visit) {
    visit("featureLayer", featureLayer);
    visit("features", features);
    visit("source", source);
    visit("targets", targets);
    visit("readings", readings);
    visit("steps", steps);
    visit("control", control);
    visit("augmentation", augmentation);
    visit("patch", patch);
  }
};

struct Output {
  std::shared_ptr<Model> model;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
  }
};

}  // namespace non_transferable_learning

}  // namespace espalier
