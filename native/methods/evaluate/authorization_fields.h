#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/data/domain.h"
#include "core/fields.h"
#include "core/metrics.h"
#include "core/model.h"

namespace espalier {

// What evaluate.authorization takes and reports.
namespace authorization {

// One way to use what a buyer holds: one thing changed against fine-tuning under the mask, or a method of its
// own.
enum class Attack {
  kFineTune,
  kReleaseMask,
  kFreshHead,
  kFreshHeadReleased,
  kFreshBatchNorm,
  kFast,
  kSgd,
  kSourceRepair,
  kRedensify,
  kRetrainHead,
  kLinearProbe,
  kNearestNeighbour,
  kBatchNormAdaptation
};
enum class Outcome { kUnknown, kHolds, kDelays, kFails };
enum class Control { kMagnitude, kTermsOff };

}  // namespace authorization

template <>
struct EnumNames<authorization::Attack> {
  using E = authorization::Attack;
  static constexpr EnumName<E> kNames[] = {
      {E::kFineTune, "fine-tune"},
      {E::kReleaseMask, "release-mask"},
      {E::kFreshHead, "fresh-head"},
      {E::kFreshHeadReleased, "fresh-head-released"},
      {E::kFreshBatchNorm, "fresh-batch-norm"},
      {E::kFast, "fast"},
      {E::kSgd, "sgd"},
      {E::kSourceRepair, "source-repair"},
      {E::kRedensify, "redensify"},
      {E::kRetrainHead, "retrain-head"},
      {E::kLinearProbe, "linear-probe"},
      {E::kNearestNeighbour, "nearest-neighbour"},
      {E::kBatchNormAdaptation, "batch-norm-adaptation"},
  };
};
template <>
struct EnumNames<authorization::Outcome> {
  using E = authorization::Outcome;
  static constexpr EnumName<E> kNames[] = {
      {E::kUnknown, "unknown"}, {E::kHolds, "holds"}, {E::kDelays, "delays"}, {E::kFails, "fails"}};
};
template <>
struct EnumNames<authorization::Control> {
  using E = authorization::Control;
  static constexpr EnumName<E> kNames[] = {{E::kMagnitude, "magnitude"}, {E::kTermsOff, "terms-off"}};
};

namespace authorization {

struct Inputs {
  std::shared_ptr<Model> original;
  std::shared_ptr<Model> protectedModel;
  std::shared_ptr<Domain> source;
  std::shared_ptr<Domain> target;
  std::optional<std::vector<std::shared_ptr<Domain>>> others;
  template <class V>
  void fields(V&& visit) {
    visit("original", original);
    visit("protected", protectedModel);
    visit("source", source);
    visit("target", target);
    visit("others", others);
  }
};

struct Options {
  std::optional<std::vector<int64_t>> counts;  // of target samples that the attacker holds
  int64_t steps = 150;
  std::vector<double> stepFactors = {0.2, 0.5, 1, 2, 5, 10};  // times steps; 1 is always among them
  int64_t batchSize = 32;
  double learningRate = 1e-3;
  std::optional<std::vector<Attack>> attacks;  // all
  std::optional<int64_t> reportSamples;        // of a domain that is attacked; all
  template <class V>
  void fields(V&& visit) {
    visit("counts", counts, {.min = 1});
    visit("steps", steps, {.min = 1, .max = 1000000});
    visit("stepFactors", stepFactors, {.min = 0, .max = 1000, .exclusiveMin = true});
    visit("batchSize", batchSize, {.min = 1, .max = 1048576});
    visit("learningRate", learningRate, {.min = 0, .exclusiveMin = true});
    visit("attacks", attacks);
    visit("reportSamples", reportSamples, {.min = 1});
  }
};

// An accuracy on report data as a sub-run published it.
struct Share {
  double accuracy = 0;
  std::vector<double> interval;
  int64_t right = 0;
  int64_t samples = 0;
  template <class V>
  void fields(V&& visit) {
    visit("accuracy", accuracy);
    visit("interval", interval);
    visit("right", right);
    visit("samples", samples);
  }
};

struct Reading {
  int64_t steps = 0;
  Share accuracy;
  template <class V>
  void fields(V&& visit) {
    visit("steps", steps);
    visit("accuracy", accuracy);
  }
};

// One training with so many samples.
struct Course {
  int64_t samples = 0;
  int64_t labels = 0;
  int64_t images = 0;  // seen by the last reading
  double seconds = 0;
  std::vector<Reading> readings;
  std::optional<double> costFactor;  // null: never reaches scratch, or scratch says nothing
  template <class V>
  void fields(V&& visit) {
    visit("samples", samples);
    visit("labels", labels);
    visit("images", images);
    visit("seconds", seconds);
    visit("readings", readings);
    visit("costFactor", costFactor);
  }
};

// The area between an attack's learning curve and that of scratch, after so many steps of both.
struct AreaAt {
  int64_t steps = 0;
  double ln = 0;
  template <class V>
  void fields(V&& visit) {
    visit("steps", steps);
    visit("ln", ln);
  }
};

struct AttackCurve {
  Attack attack = Attack::kFineTune;
  std::vector<Course> courses;  // by samples, ascending
  std::vector<AreaAt> areas;
  template <class V>
  void fields(V&& visit) {
    visit("attack", attack);
    visit("courses", courses);
    visit("areas", areas);
  }
};

struct LeftOut {
  Attack attack = Attack::kRedensify;
  std::string reason;
  template <class V>
  void fields(V&& visit) {
    visit("attack", attack);
    visit("reason", reason);
  }
};

struct ControlFigures {
  Control control = Control::kMagnitude;
  std::optional<std::string> notRun;  // why
  double sparsity = 0;
  std::optional<double> areaHeld;
  std::optional<double> areaReleased;
  template <class V>
  void fields(V&& visit) {
    visit("control", control);
    visit("notRun", notRun);
    visit("sparsity", sparsity);
    visit("areaHeld", areaHeld);
    visit("areaReleased", areaReleased);
  }
};

struct Unseen {
  std::string domain;
  std::optional<double> areaOriginal;
  std::optional<double> areaHeld;
  template <class V>
  void fields(V&& visit) {
    visit("domain", domain);
    visit("areaOriginal", areaOriginal);
    visit("areaHeld", areaHeld);
  }
};

struct Matrix {
  std::vector<std::string> models;
  std::vector<std::string> domains;
  std::vector<std::vector<PublishedAnswers>> cells;  // [model][domain]
  template <class V>
  void fields(V&& visit) {
    visit("models", models);
    visit("domains", domains);
    visit("cells", cells);
  }
};

struct LayerZeros {
  std::string path;
  int64_t weights = 0;
  int64_t zeros = 0;
  template <class V>
  void fields(V&& visit) {
    visit("path", path);
    visit("weights", weights);
    visit("zeros", zeros);
  }
};

struct Win {
  Attack attack = Attack::kFineTune;
  int64_t samples = 0;
  int64_t steps = 0;
  double accuracy = 0;
  double scratch = 0;
  double costFactor = 0;
  template <class V>
  void fields(V&& visit) {
    visit("attack", attack);
    visit("samples", samples);
    visit("steps", steps);
    visit("accuracy", accuracy);
    visit("scratch", scratch);
    visit("costFactor", costFactor);
  }
};

struct Verdict {
  Outcome outcome = Outcome::kUnknown;
  std::optional<Win> cheapest;
  double sourceDrop = 0;
  int64_t comparable = 0;  // numbers of samples with which scratch says something
  template <class V>
  void fields(V&& visit) {
    visit("outcome", outcome);
    visit("cheapest", cheapest);
    visit("sourceDrop", sourceDrop);
    visit("comparable", comparable);
  }
};

// A domain before protection and after it, without any training.
struct DomainChange {
  PublishedAnswers before;
  PublishedAnswers after;
  double lost = 0;               // accuracy before less that after
  std::vector<double> interval;  // of that, 95 %
  std::optional<double> share;   // of the accuracy before; null where that is 0
  template <class V>
  void fields(V&& visit) {
    visit("before", before);
    visit("after", after);
    visit("lost", lost);
    visit("interval", interval);
    visit("share", share);
  }
};

// How many images the protecting run had to read, fit and select.
struct DataNeeded {
  int64_t source = 0;
  int64_t target = 0;
  bool targetLabels = false;
  template <class V>
  void fields(V&& visit) {
    visit("source", source);
    visit("target", target);
    visit("targetLabels", targetLabels);
  }
};

// What one way to bind a model keeps, takes and needs: the rows of a comparison.
struct Binding {
  DomainChange source;
  DomainChange target;
  std::optional<double> areaHeld;
  std::optional<double> areaReleased;
  std::optional<DataNeeded> data;
  std::optional<double> seconds;
  std::optional<bool> revocable;
  template <class V>
  void fields(V&& visit) {
    visit("source", source);
    visit("target", target);
    visit("areaHeld", areaHeld);
    visit("areaReleased", areaReleased);
    visit("data", data);
    visit("seconds", seconds);
    visit("revocable", revocable);
  }
};

struct Report {
  Verdict verdict;
  Binding binding;
  std::optional<std::string> method;  // that protected, by the manifest
  double sparsity = 0;
  int64_t steps = 0;
  std::vector<Course> scratch;
  AttackCurve original;  // fine-tuned
  std::vector<AttackCurve> attacks;
  std::vector<LeftOut> leftOut;
  std::vector<ControlFigures> controls;
  std::vector<Unseen> unseen;
  Matrix matrix;
  std::vector<LayerZeros> layers;
  template <class V>
  void fields(V&& visit) {
    visit("verdict", verdict);
    visit("binding", binding);
    visit("method", method);
    visit("sparsity", sparsity);
    visit("steps", steps);
    visit("scratch", scratch);
    visit("original", original);
    visit("attacks", attacks);
    visit("leftOut", leftOut);
    visit("controls", controls);
    visit("unseen", unseen);
    visit("matrix", matrix);
    visit("layers", layers);
  }
};

struct Output {
  template <class V>
  void fields(V&&) {}
};

}  // namespace authorization

}  // namespace espalier
