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
#include "core/train/autocast.h"

// Inputs, options and report of authorize.maskPruning.
namespace espalier {

namespace mask_pruning {

enum class Variant { kSourceAvailable };
enum class Labels { kGiven, kPseudo };

}  // namespace mask_pruning

template <>
struct EnumNames<mask_pruning::Variant> {
  using E = mask_pruning::Variant;
  static constexpr EnumName<E> kNames[] = {{E::kSourceAvailable, "sourceAvailable"}};
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

struct Options {
  Variant variant = Variant::kSourceAvailable;
  double lambda = 0.1;
  double beta = 0.5;
  CapOver capOver = CapOver::kSample;
  double scoreStart = 0.01;
  double threshold = 0.005;
  double learningRate = 5e-4;
  int64_t steps = 600;
  int64_t batchSize = 32;
  int64_t readings = 6;
  double sourceFloor = 0.02;
  WeightPatterns weights;
  bool keepHead = false;
  std::optional<double> maxPruned;
  bool controls = true;
  Precision precision = Precision::kFloat32;
  std::optional<Labels> targetLabels;  // sourceAvailable
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

struct SourceFigures {
  std::optional<std::string> domain;  // null: generated images
  double before = 0;
  double after = 0;
  double floor = 0;
  bool held = false;
  int64_t restoredStep = 0;
  template <class V>
  void fields(V&& visit) {
    visit("domain", domain);
    visit("before", before);
    visit("after", after);
    visit("floor", floor);
    visit("held", held);
    visit("restoredStep", restoredStep);
  }
};

struct TargetFigures {
  std::string domain;
  std::optional<double> before;  // null without select data
  std::optional<double> after;
  std::optional<double> drop;
  template <class V>
  void fields(V&& visit) {
    visit("domain", domain);
    visit("before", before);
    visit("after", after);
    visit("drop", drop);
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
  template <class V>
  void fields(V&& visit) {
    visit("source", source);
    visit("target", target);
  }
};

struct Report : SparsityFigures {
  SourceFigures source;
  std::vector<TargetFigures> targets;
  std::vector<Reading> readings;
  std::vector<ControlFigures> controls;
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
