#include "methods/prune/magnitude.h"

#include <cmath>
#include <limits>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/mask.h"
#include "core/prune/candidates.h"
#include "core/prune/layer_figures.h"
#include "core/prune/selection.h"
#include "core/train/supervised_options.h"

// Magnitude pruning: the weights (or output channels) of least magnitude are set to zero, at once or step by
// step with training in between (Han et al. 2015; Zhu and Gupta 2017, eq. 1, for the cubic schedule).
namespace espalier {

namespace {

enum class StructureKind { kUnstructured, kChannel };
enum class GradualSchedule { kCubic };

}  // namespace

template <>
struct EnumNames<StructureKind> {
  static constexpr EnumName<StructureKind> kNames[] = {{StructureKind::kUnstructured, "unstructured"},
                                                       {StructureKind::kChannel, "channel"}};
};
template <>
struct EnumNames<GradualSchedule> {
  static constexpr EnumName<GradualSchedule> kNames[] = {{GradualSchedule::kCubic, "cubic"}};
};

namespace {

struct Inputs {
  std::shared_ptr<Model> model;
  std::optional<std::shared_ptr<Domain>> domain;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("domain", domain);
  }
};

// Of every m neighbouring weights along a row (all that one output sums over) n are kept.
struct NOfM {
  int64_t n = 2;
  int64_t m = 4;
  template <class V>
  void fields(V&& visit) {
    visit("n", n, {.min = 1, .max = 1024, .required = true});
    visit("m", m, {.min = 2, .max = 1024, .required = true});
  }
};

struct Gradual {
  int64_t steps = 4;
  int64_t epochsPerStep = 1;
  GradualSchedule schedule = GradualSchedule::kCubic;
  template <class V>
  void fields(V&& visit) {
    visit("steps", steps, {.min = 1, .max = 10000});
    visit("epochsPerStep", epochsPerStep, {.min = 1, .max = 10000});
    visit("schedule", schedule);
  }
};

struct Options {
  std::optional<double> sparsity;
  PruningScope scope = PruningScope::kGlobal;
  std::variant<StructureKind, NOfM> structure = StructureKind::kUnstructured;
  double layerFloor = 0;
  double layerCeiling = 1;
  WeightPatterns patterns;
  std::optional<Gradual> gradual;
  std::optional<SupervisedOptions> fineTune;
  template <class V>
  void fields(V&& visit) {
    visit("sparsity", sparsity, {.min = 0, .max = 1});
    visit("scope", scope);
    visit("structure", structure);
    visit("layerFloor", layerFloor, {.min = 0, .max = 1});
    visit("layerCeiling", layerCeiling, {.min = 0, .max = 1});
    patterns.fields(visit);
    visit("gradual", gradual);
    visit("fineTune", fineTune);
  }

  bool channels() const {
    const auto* kind = std::get_if<StructureKind>(&structure);
    return kind != nullptr && *kind == StructureKind::kChannel;
  }
  const NOfM* nOfM() const { return std::get_if<NOfM>(&structure); }
  PruningUnit unit() const {
    if (channels()) return PruningUnit::kChannel;
    return nOfM() != nullptr ? PruningUnit::kRowGroup : PruningUnit::kWeight;
  }
};

struct Stage {
  double sparsity = 0;  // of what the option counts: weights or channels
  int64_t epochs = 0;   // of training after it
  template <class V>
  void fields(V&& visit) {
    visit("sparsity", sparsity);
    visit("epochs", epochs);
  }
};

struct Report {
  SparsityFigures achieved;
  std::optional<double> requested;  // as asked for: of weights or of channels
  PruningScope scope = PruningScope::kGlobal;
  std::variant<StructureKind, NOfM> structure = StructureKind::kUnstructured;
  std::vector<Stage> stages;
  Value fineTune;  // the figures of train.supervised, or null
  template <class V>
  void fields(V&& visit) {
    achieved.fields(visit);
    visit("requested", requested);
    visit("scope", scope);
    visit("structure", structure);
    visit("stages", stages);
    visit("fineTune", fineTune);
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

at::Tensor scoresOf(const Candidate& candidate, bool channels) {
  at::Tensor magnitude = candidate.weight.detach().abs();
  if (!channels) return magnitude;
  // The root of the mean square: under global scope a layer must not win by the size of its channels.
  return candidate.rows(magnitude.to(at::kDouble)).square().mean(1).sqrt();
}

std::vector<at::Tensor> selectKept(const std::vector<Candidate>& candidates, const Options& options,
                                   double sparsity) {
  std::vector<ScoreGroup> groups;
  for (const Candidate& candidate : candidates) {
    ScoreGroup group{candidate.path, scoresOf(candidate, options.channels()), 0, 0};
    const auto size = static_cast<double>(group.scores.numel());
    group.lowest = static_cast<int64_t>(std::ceil(options.layerFloor * size));
    group.highest = static_cast<int64_t>(std::floor(options.layerCeiling * size));
    groups.push_back(std::move(group));
  }
  return keepHighestShare(groups, sparsity, options.scope);
}

at::Tensor keepNOfM(const Candidate& candidate, const NOfM& pattern) {
  const at::Tensor rows = candidate.rows(candidate.weight.detach().abs());
  if (rows.size(1) % pattern.m != 0) {
    fail(ErrorCode::kTargetUnreachable, "expected a multiple of ", pattern.m, " weights in each row of ",
         candidate.path, ", found ", rows.size(1), ": exclude it, or choose another m");
  }
  if (rows.isnan().any().item<bool>()) {
    fail(ErrorCode::kModelUnsupported, "expected numbers in ", candidate.path,
         ", found NaN: its weights cannot be ranked; repair or retrain the model");
  }
  const at::Tensor kept = keepHighestOfEach(candidate.path, rows, pattern.n, pattern.m);
  std::vector<int64_t> shape = candidate.weight.movedim(candidate.outputDim, 0).sizes().vec();
  return kept.reshape(shape).movedim(0, candidate.outputDim).contiguous();
}

Mask maskOf(const std::vector<Candidate>& candidates, const Options& options, double sparsity) {
  std::vector<Mask::Entry> entries;
  if (const NOfM* pattern = options.nOfM()) {
    for (const Candidate& candidate : candidates)
      entries.push_back({candidate.path, keepNOfM(candidate, *pattern)});
    return Mask(std::move(entries));
  }
  const std::vector<at::Tensor> kept = selectKept(candidates, options, sparsity);
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    at::Tensor mask = kept[i];
    if (options.channels()) {
      std::vector<int64_t> shape(static_cast<size_t>(candidate.weight.dim()), 1);
      shape[static_cast<size_t>(candidate.outputDim)] = -1;
      mask = mask.reshape(shape).expand(candidate.weight.sizes()).contiguous();
    }
    entries.push_back({candidate.path, mask});
  }
  return Mask(std::move(entries));
}

void check(const Inputs& inputs, const Options& options) {
  if (const NOfM* pattern = options.nOfM()) {
    if (pattern->n >= pattern->m) {
      fail(ErrorCode::kOutOfRange, "expected structure.n below structure.m, received ", pattern->n, " of ",
           pattern->m);
    }
    if (options.sparsity) {
      fail(ErrorCode::kInvalidArgType,
           "expected no sparsity beside structure { n, m }, which says it already: received ",
           *options.sparsity);
    }
    if (options.gradual) {
      fail(ErrorCode::kInvalidArgType,
           "expected no gradual beside structure { n, m }: it has no sparsity to raise step by step");
    }
    if (options.layerFloor != 0 || options.layerCeiling != 1) {
      fail(ErrorCode::kInvalidArgType,
           "expected no layerFloor or layerCeiling beside structure { n, m }: every layer has the same "
           "sparsity");
    }
  } else if (!options.sparsity) {
    fail(ErrorCode::kInvalidArgType, "expected a number for sparsity, received none");
  }
  if (options.layerFloor > options.layerCeiling) {
    fail(ErrorCode::kTargetUnreachable, "expected layerFloor to be at most layerCeiling, received ",
         options.layerFloor, " and ", options.layerCeiling);
  }
  if ((options.gradual || options.fineTune) && !inputs.domain) {
    fail(ErrorCode::kInvalidArgType,
         "expected a Domain for domain, received none: ", options.gradual ? "gradual" : "fineTune",
         " trains on its fit data");
  }
}

double sparsityOf(const std::vector<Candidate>& candidates, bool channels) {
  int64_t zeros = 0;
  int64_t all = 0;
  for (const Candidate& candidate : candidates) {
    const at::Tensor scores = scoresOf(candidate, channels);
    all += scores.numel();
    zeros += scores.numel() - scores.count_nonzero().item<int64_t>();
  }
  return static_cast<double>(zeros) / static_cast<double>(all);
}

class Pruner {
 public:
  Pruner(const Inputs& inputs, const Options& options, Report& report, Job& job)
      : inputs_(inputs),
        options_(options),
        report_(report),
        job_(job),
        model_(inputs.model->clone()->to(job.device())) {
    const int64_t gradual = options.gradual ? options.gradual->steps * options.gradual->epochsPerStep : 0;
    const int64_t fineTune = options.fineTune ? options.fineTune->epochs : 0;
    job.plan(static_cast<double>(std::max<int64_t>(1, gradual + fineTune)));
  }

  Output run() {
    const double target = options_.sparsity.value_or(0);
    if (options_.gradual) {
      runGradual(*options_.gradual, target);
    } else {
      stage(target, 0);
    }
    if (options_.fineTune) report_.fineTune = train(options_.fineTune->epochs);
    report_.achieved = measureSparsity(candidates());
    const bool isTrained = options_.gradual || options_.fineTune;
    // What was chosen among trained weights says nothing about those of before.
    if (!isTrained) mask_ = std::make_shared<Mask>(mask_->entries(), inputs_.model->digest());
    return {model_, mask_};
  }

 private:
  std::vector<Candidate> candidates() const {
    return pruningCandidates(*model_, options_.patterns, options_.unit());
  }

  void runGradual(const Gradual& gradual, double target) {
    const double start = sparsityOf(candidates(), options_.channels());
    if (start > target) {
      fail(ErrorCode::kTargetUnreachable, "expected a sparsity of at least ", start,
           ", which the model has already, received ", target);
    }
    for (int64_t i = 1; i <= gradual.steps; ++i) {
      const double rest = 1 - static_cast<double>(i) / static_cast<double>(gradual.steps);
      stage(i == gradual.steps ? target : target + (start - target) * rest * rest * rest,
            gradual.epochsPerStep);
      train(gradual.epochsPerStep);
    }
  }

  void stage(double sparsity, int64_t epochs) {
    mask_ = std::make_shared<Mask>(maskOf(candidates(), options_, sparsity));
    prune(*model_, *mask_);
    report_.stages.push_back({sparsityOf(candidates(), options_.channels()), epochs});
  }

  // With the mask held: train.supervised keeps the zeros of a model.
  Value train(int64_t epochs) {
    SupervisedOptions options = options_.fineTune.value_or(SupervisedOptions{});
    options.epochs = epochs;
    options.keepZeros.value = true;
    const Value inputs =
        Value::Map{{"model", HandlePtr(model_)}, {"domain", HandlePtr(inputs_.domain.value())}};
    MethodResult result = job_.run("train.supervised", inputs, toValue(options), static_cast<double>(epochs));
    // A clone: the checkpoint holds the sub-run's own, which the next stage must not change.
    model_ = result.output<Model>("model")->clone();
    return result.report;
  }

  const Inputs& inputs_;
  const Options& options_;
  Report& report_;
  Job& job_;
  std::shared_ptr<Model> model_;
  std::shared_ptr<Mask> mask_;
};

Output run(const Inputs& inputs, const Options& options, Report& report, Job& job) {
  check(inputs, options);
  report.requested = options.sparsity;
  report.scope = options.scope;
  report.structure = options.structure;
  return Pruner(inputs, options, report, job).run();
}

}  // namespace

Method pruneMagnitude() { return method("prune.magnitude", run); }

}  // namespace espalier
