#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/attack/transfer.h"
#include "core/job.h"
#include "core/metrics.h"
#include "core/train/sharpness.h"
#include "core/train/trainer.h"

// What the attacks share: how many samples they hold, a training in stretches through the trainer, and the
// figures that they all report.
namespace espalier {

struct AttackSamples {
  std::optional<int64_t> count;
  std::optional<double> fraction;
  template <class V>
  void fields(V&& visit) {
    visit("count", count, {.min = 1});
    visit("fraction", fraction, {.min = 0, .max = 1, .exclusiveMin = true});
  }
};

// A stratified part of the domain's fit data: `count`, or `fraction` rounded down, or all. ERR_OUT_OF_RANGE
// for more than there is, ERR_INVALID_ARG_TYPE for both.
FitData drawSamples(const Domain& domain, const AttackSamples& samples, std::string_view method,
                    uint64_t seed);

struct AttackCost {
  int64_t images = 0;  // that the training saw, repetitions counted
  int64_t labels = 0;  // different labelled samples that the attacker needs to train
  int64_t steps = 0;   // of all learning rates
  double seconds = 0;  // of the training
  template <class V>
  void fields(V&& visit) {
    visit("images", images);
    visit("labels", labels);
    visit("steps", steps);
    visit("seconds", seconds);
  }
};

struct AttackCheckpoint {
  int64_t steps = 0;
  PublishedAnswers accuracy;
  template <class V>
  void fields(V&& visit) {
    visit("steps", steps);
    visit("accuracy", accuracy);
  }
};

struct AttackFigures {
  int64_t samples = 0;  // that the attacker holds
  PublishedAnswers before;
  PublishedAnswers after;
  AttackCost cost;
  template <class V>
  void fields(V&& visit) {
    visit("samples", samples);
    visit("before", before);
    visit("after", after);
    visit("cost", cost);
  }
};

struct TrainedAttackFigures : AttackFigures {
  double learningRate = 0;               // the one taken
  std::optional<double> selectAccuracy;  // with it, where there were several
  template <class V>
  void fields(V&& visit) {
    AttackFigures::fields(visit);
    visit("learningRate", learningRate);
    visit("selectAccuracy", selectAccuracy);
  }
};

struct AttackOutput {
  std::shared_ptr<Model> model;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
  }
};

// So many steps on these samples.
struct AttackStretch {
  std::string name;
  FitData samples;
  int64_t steps = 0;
};

// One pass over the batch of a step.
struct AttackPass {
  Model& model;
  Mode mode;
  const std::vector<at::Tensor>& weights;  // that are trained, in the order of the model's parameters
  const at::Tensor& logits;                // of the batch
  const std::vector<at::Tensor>& views;    // of its images
  std::vector<at::Tensor>& memory;         // what the term keeps from one pass to the next
  StepContext& context;
};

// What an attack minimises where that is more than the cross-entropy of its batches.
struct AttackObjective {
  // Added to the mean cross-entropy.
  std::function<at::Tensor(const AttackPass&)> term;
  // Views of a batch's images, drawn once a step: the second pass of a step sees the same.
  std::function<std::vector<at::Tensor>(const at::Tensor& images, StepContext&)> views;
  std::vector<at::Tensor> memory;  // at the start of a training
  Sharpness sharpness;
  std::optional<Mode> mode;  // of the network; by default as the options say
  double unitsBefore = 0;    // of the job's work, a training being one: what was done for it
};

// Refuses a model that cannot be attacked like this on the domain: frozen, without a head, of other classes.
void requireAttackable(const Model& model, const Domain& domain, std::string_view method);

// Trains a copy of `start` over the stretches, for each learning rate, each a unit of the job's planned work;
// takes the best on select data, and says which in `figures`, to whose cost it adds. With `checkpoints` the
// accuracy after each stretch is left there (of the rate taken).
std::shared_ptr<Model> trainBest(const Model& start, const std::vector<AttackStretch>& stretches,
                                 const TransferOptions& options, const Domain& target,
                                 TrainedAttackFigures& figures, Job& job,
                                 std::vector<AttackCheckpoint>* checkpoints = nullptr,
                                 const AttackObjective& objective = {});

// The same as the whole of an attack: the `given` model is measured too, and what came of it.
std::shared_ptr<Model> trainAttack(const Model& given, const Model& start,
                                   const std::vector<AttackStretch>& stretches,
                                   const TransferOptions& options, const Domain& target,
                                   TrainedAttackFigures& figures, Job& job,
                                   std::vector<AttackCheckpoint>* checkpoints = nullptr,
                                   const AttackObjective& objective = {});

}  // namespace espalier
