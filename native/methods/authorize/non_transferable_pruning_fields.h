#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/domain.h"
#include "core/fields.h"
#include "core/mask.h"
#include "core/model.h"
#include "core/prune/candidates.h"
#include "core/prune/layer_figures.h"
#include "core/train/autocast.h"

// Inputs, options and report of authorize.nonTransferablePruning.
namespace espalier {

namespace non_transferable_pruning {

enum class Preset { kEspalier, kPaper };
enum class ProtectionLoss { kNtp, kNtl };
enum class Attacker { kNone, kSimulated };
enum class ZUpdate { kCardinality, kL1 };
enum class Penalty { kSquared, kNorm };
enum class Prunable { kWeights, kAll };
enum class Strength { kFixed, kAuto };

}  // namespace non_transferable_pruning

template <>
struct EnumNames<non_transferable_pruning::Preset> {
  using E = non_transferable_pruning::Preset;
  static constexpr EnumName<E> kNames[] = {{E::kEspalier, "espalier"}, {E::kPaper, "paper"}};
};
template <>
struct EnumNames<non_transferable_pruning::ProtectionLoss> {
  using E = non_transferable_pruning::ProtectionLoss;
  static constexpr EnumName<E> kNames[] = {{E::kNtp, "ntp"}, {E::kNtl, "ntl"}};
};
template <>
struct EnumNames<non_transferable_pruning::Attacker> {
  using E = non_transferable_pruning::Attacker;
  static constexpr EnumName<E> kNames[] = {{E::kNone, "none"}, {E::kSimulated, "simulated"}};
};
template <>
struct EnumNames<non_transferable_pruning::ZUpdate> {
  using E = non_transferable_pruning::ZUpdate;
  static constexpr EnumName<E> kNames[] = {{E::kCardinality, "cardinality"}, {E::kL1, "l1"}};
};
template <>
struct EnumNames<non_transferable_pruning::Penalty> {
  using E = non_transferable_pruning::Penalty;
  static constexpr EnumName<E> kNames[] = {{E::kSquared, "squared"}, {E::kNorm, "norm"}};
};
template <>
struct EnumNames<non_transferable_pruning::Prunable> {
  using E = non_transferable_pruning::Prunable;
  static constexpr EnumName<E> kNames[] = {{E::kWeights, "weights"}, {E::kAll, "all"}};
};
template <>
struct EnumNames<non_transferable_pruning::Strength> {
  using E = non_transferable_pruning::Strength;
  static constexpr EnumName<E> kNames[] = {{E::kFixed, "fixed"}, {E::kAuto, "auto"}};
};

namespace non_transferable_pruning {

struct Inputs {
  std::shared_ptr<Model> model;
  std::shared_ptr<Domain> source;
  std::vector<std::shared_ptr<Domain>> target;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("source", source);
    visit("target", target);
  }
};

// A head of its own for each target, trained with the encoder as it is.
struct TargetHeadOptions {
  int64_t steps = 300;
  int64_t refreshSteps = 20;  // at the start of each iteration
  double learningRate = 1e-3;
  double weightDecay = 8e-4;
  template <class V>
  void fields(V&& visit) {
    visit("steps", steps, {.min = 0, .max = 10000000});
    visit("refreshSteps", refreshSteps, {.min = 0, .max = 10000000});
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("weightDecay", weightDecay, {.min = 0});
  }
};

// A copy of the model that is fine-tuned on the target while protection runs.
struct SimulatedOptions {
  int64_t horizon = 60;
  double weight = 1;
  double lossCap = 4;
  double sourceGate = 0.2;
  double learningRate = 1e-3;
  int64_t freshHeadEvery = 2;
  template <class V>
  void fields(V&& visit) {
    visit("horizon", horizon, {.min = 1, .max = 1000000});
    visit("weight", weight, {.min = 0});
    visit("lossCap", lossCap, {.min = 0, .exclusiveMin = true});
    visit("sourceGate", sourceGate, {.min = 0, .exclusiveMin = true});
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("freshHeadEvery", freshHeadEvery, {.min = 0, .max = 1000000});
  }
};

struct SearchOptions {
  int64_t budget = 8000;  // optimiser steps of all trials together, attacks included
  int64_t attackSamples = 1000;
  int64_t attackSteps = 150;
  template <class V>
  void fields(V&& visit) {
    visit("budget", budget, {.min = 1, .max = 100000000});
    visit("attackSamples", attackSamples, {.min = 1, .max = 100000000});
    visit("attackSteps", attackSteps, {.min = 1, .max = 10000000});
  }
};

struct Options {
  Preset preset = Preset::kEspalier;  // names the values that the caller's layer filled in
  double sparsity = 0.95;
  std::optional<std::string> split;
  Prunable prunable = Prunable::kWeights;
  ProtectionLoss loss = ProtectionLoss::kNtp;
  Attacker attacker = Attacker::kSimulated;
  SimulatedOptions simulated;
  LiteralOr<"auto", double> alphaTarget;
  LiteralOr<"auto", double> lambdaFisher;
  LiteralOr<"auto", double> targetLossCap;
  TargetHeadOptions targetHead;
  ZUpdate zUpdate = ZUpdate::kCardinality;
  Penalty penalty = Penalty::kSquared;
  double rho = 0.05;
  double l1 = 1e-4;
  int64_t iterations = 20;
  int64_t stepsPerIteration = 50;
  std::optional<int64_t> epochsPerIteration;
  int64_t polishSteps = 500;
  int64_t batchSize = 64;
  double learningRate = 1e-3;
  double weightDecay = 8e-4;
  double dataFraction = 1;
  double sourceFloor = 0.02;
  int64_t refreshBatches = 40;
  Strength strength = Strength::kFixed;
  SearchOptions search;
  Precision precision = Precision::kFloat32;
  template <class V>
  void fields(V&& visit) {
    visit("preset", preset);
    visit("sparsity", sparsity, {.min = 0, .max = 1, .exclusiveMax = true});
    visit("split", split);
    visit("prunable", prunable);
    visit("loss", loss);
    visit("attacker", attacker);
    visit("simulated", simulated);
    visit("alphaTarget", alphaTarget, {.min = 0});
    visit("lambdaFisher", lambdaFisher, {.min = 0});
    visit("targetLossCap", targetLossCap, {.min = 0, .exclusiveMin = true});
    visit("targetHead", targetHead);
    visit("zUpdate", zUpdate);
    visit("penalty", penalty);
    visit("rho", rho, {.min = 0});
    visit("l1", l1, {.min = 0});
    visit("iterations", iterations, {.min = 1, .max = 1000000});
    visit("stepsPerIteration", stepsPerIteration, {.min = 1, .max = 10000000});
    visit("epochsPerIteration", epochsPerIteration, {.min = 1, .max = 100000});
    visit("polishSteps", polishSteps, {.min = 0, .max = 10000000});
    visit("batchSize", batchSize, {.min = 2, .max = 1048576});
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("weightDecay", weightDecay, {.min = 0});
    visit("dataFraction", dataFraction, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("sourceFloor", sourceFloor, {.min = 0, .max = 1});
    visit("refreshBatches", refreshBatches, {.min = 0, .max = 100000});
    visit("strength", strength);
    visit("search", search);
    visit("precision", precision);
  }
};

// Means over a stretch of steps; null where a term is off.
struct Terms {
  double sourceLoss = 0;
  std::optional<double> targetLoss;
  std::optional<double> fisherRatio;
  std::optional<double> discrepancy;
  std::optional<double> attackerLoss;
  std::optional<double> gate;
  template <class V>
  void fields(V&& visit) {
    visit("sourceLoss", sourceLoss);
    visit("targetLoss", targetLoss);
    visit("fisherRatio", fisherRatio);
    visit("discrepancy", discrepancy);
    visit("attackerLoss", attackerLoss);
    visit("gate", gate);
  }
};

struct IterationReport {
  int64_t iteration = 0;
  int64_t step = 0;
  Terms terms;
  double sourceAccuracy = 0;  // of the batches, through this iteration's statistics
  double penalty = 0;
  double sparsity = 0;
  double primalResidual = 0;  // ||W - Z|| / ||W||
  double dualResidual = 0;    // ||Z - Z of the iteration before|| / ||Z||
  template <class V>
  void fields(V&& visit) {
    visit("iteration", iteration);
    visit("step", step);
    terms.fields(visit);
    visit("sourceAccuracy", sourceAccuracy);
    visit("penalty", penalty);
    visit("sparsity", sparsity);
    visit("primalResidual", primalResidual);
    visit("dualResidual", dualResidual);
  }
};

struct PolishReport {
  int64_t step = 0;  // of the polish
  Terms terms;
  double sourceAccuracy = 0;  // on select data
  bool holdsFloor = false;
  template <class V>
  void fields(V&& visit) {
    visit("step", step);
    terms.fields(visit);
    visit("sourceAccuracy", sourceAccuracy);
    visit("holdsFloor", holdsFloor);
  }
};

struct SourceFigures {
  double before = 0;
  double after = 0;
  double floor = 0;
  bool held = false;
  int64_t restoredStep = 0;  // of the polish, of the iterate that was taken
  template <class V>
  void fields(V&& visit) {
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
  double fisherBefore = 0;
  double fisherAfter = 0;
  template <class V>
  void fields(V&& visit) {
    visit("domain", domain);
    visit("before", before);
    visit("after", after);
    visit("fisherBefore", fisherBefore);
    visit("fisherAfter", fisherAfter);
  }
};

struct Trial {
  double strength = 1;        // factor on the weights of the protecting terms
  double sourceAccuracy = 0;  // on select data
  bool holdsFloor = false;
  double attackedAccuracy = 0;  // of a short attack on select data of the first target
  bool chosen = false;
  template <class V>
  void fields(V&& visit) {
    visit("strength", strength);
    visit("sourceAccuracy", sourceAccuracy);
    visit("holdsFloor", holdsFloor);
    visit("attackedAccuracy", attackedAccuracy);
    visit("chosen", chosen);
  }
};

struct Weights {
  double alphaTarget = 0;
  double lambdaFisher = 0;
  double targetLossCap = 0;
  double attacker = 0;
  template <class V>
  void fields(V&& visit) {
    visit("alphaTarget", alphaTarget);
    visit("lambdaFisher", lambdaFisher);
    visit("targetLossCap", targetLossCap);
    visit("attacker", attacker);
  }
};

struct Report {
  std::string cutAt;  // the operator that reads the features
  Weights weights;    // as used
  SparsityFigures sparsity;
  SourceFigures source;
  std::vector<TargetFigures> targets;
  std::vector<IterationReport> iterations;
  std::vector<PolishReport> polish;
  int64_t attackerRestarts = 0;
  int64_t steps = 0;
  std::vector<Trial> frontier;
  template <class V>
  void fields(V&& visit) {
    visit("cutAt", cutAt);
    visit("weights", weights);
    sparsity.fields(visit);
    visit("source", source);
    visit("targets", targets);
    visit("iterations", iterations);
    visit("polish", polish);
    visit("attackerRestarts", attackerRestarts);
    visit("steps", steps);
    visit("frontier", frontier);
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

}  // namespace non_transferable_pruning

}  // namespace espalier
