#include "methods/prune/magnitude.h"

#include <cmath>
#include <limits>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/glob.h"
#include "core/mask.h"
#include "core/prune/selection.h"
#include "core/train/supervised_options.h"

// Magnitude pruning: the weights (or output channels) of least magnitude are set to zero, at once or step by
// step with training in between (Han et al. 2015; Zhu and Gupta 2017, eq. 1, for the cubic schedule).
namespace espalier {

namespace {

enum class Scope { kGlobal, kLayer };
enum class StructureKind { kUnstructured, kChannel };
enum class GradualSchedule { kCubic };

}  // namespace

template <>
struct EnumNames<Scope> {
  static constexpr EnumName<Scope> kNames[] = {{Scope::kGlobal, "global"}, {Scope::kLayer, "layer"}};
};
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
  Scope scope = Scope::kGlobal;
  std::variant<StructureKind, NOfM> structure = StructureKind::kUnstructured;
  double layerFloor = 0;
  double layerCeiling = 1;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::optional<Gradual> gradual;
  std::optional<SupervisedOptions> fineTune;
  template <class V>
  void fields(V&& visit) {
    visit("sparsity", sparsity, {.min = 0, .max = 1});
    visit("scope", scope);
    visit("structure", structure);
    visit("layerFloor", layerFloor, {.min = 0, .max = 1});
    visit("layerCeiling", layerCeiling, {.min = 0, .max = 1});
    visit("include", include);
    visit("exclude", exclude);
    visit("gradual", gradual);
    visit("fineTune", fineTune);
  }

  bool channels() const {
    const auto* kind = std::get_if<StructureKind>(&structure);
    return kind != nullptr && *kind == StructureKind::kChannel;
  }
  const NOfM* nOfM() const { return std::get_if<NOfM>(&structure); }
};

struct LayerFigures {
  std::string path;
  int64_t weights = 0;
  int64_t zeros = 0;
  double sparsity = 0;
  std::optional<double> threshold;  // the least magnitude kept; null where nothing is
  template <class V>
  void fields(V&& visit) {
    visit("path", path);
    visit("weights", weights);
    visit("zeros", zeros);
    visit("sparsity", sparsity);
    visit("threshold", threshold);
  }
};

struct Totals {
  int64_t weights = 0;
  int64_t zeros = 0;
  template <class V>
  void fields(V&& visit) {
    visit("weights", weights);
    visit("zeros", zeros);
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
  double sparsity = 0;              // of the weights that may be pruned, achieved
  std::optional<double> requested;  // as asked for: of weights or of channels
  Scope scope = Scope::kGlobal;
  std::variant<StructureKind, NOfM> structure = StructureKind::kUnstructured;
  std::vector<LayerFigures> layers;
  Totals totals;
  std::vector<Stage> stages;
  Value fineTune;  // the figures of train.supervised, or null
  template <class V>
  void fields(V&& visit) {
    visit("sparsity", sparsity);
    visit("requested", requested);
    visit("scope", scope);
    visit("structure", structure);
    visit("layers", layers);
    visit("totals", totals);
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

// A parameter that may be pruned; its rows are output channels.
struct Candidate {
  std::string path;
  at::Tensor weight;
  int64_t outputDim = 0;
};

// The layer that makes the logits: pruning one of its channels would remove a class.
bool isClassifier(const Layer& layer, const std::vector<Layer>& layers) {
  for (auto last = layers.rbegin(); last != layers.rend(); ++last) {
    if (last->prunable) return last->weightPath == layer.weightPath;
  }
  return false;
}

std::vector<Candidate> candidatesOf(const Model& model, const Options& options) {
  const auto matches = [](const std::vector<std::string>& patterns, const std::string& path) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return matchesGlob(pattern, path); });
  };
  for (const std::string& pattern : options.include) {
    const auto& all = model.parameters();
    if (std::none_of(all.begin(), all.end(),
                     [&](const auto& info) { return matchesGlob(pattern, info.path); })) {
      fail(ErrorCode::kOutOfRange, "expected a parameter that matches '", pattern,
           "' for include, found none; `espalier inspect` lists the paths");
    }
  }
  std::vector<Candidate> candidates;
  for (const ParameterInfo& info : model.parameters()) {
    if (!info.tensor.is_floating_point()) continue;
    const std::vector<Layer>& layers = model.layers();
    const auto layer = std::find_if(layers.begin(), layers.end(), [&](const Layer& candidate) {
      return candidate.prunable && candidate.weight.is_same(info.tensor);
    });
    const bool prunable = layer != layers.end() && !(options.channels() && isClassifier(*layer, layers));
    const bool wanted = options.include.empty() ? prunable : matches(options.include, info.path);
    if (!wanted || matches(options.exclude, info.path)) continue;
    const bool needsRows = options.channels() || options.nOfM() != nullptr;
    if (needsRows && info.tensor.dim() < 2) continue;
    candidates.push_back({info.path, info.tensor, layer != layers.end() ? layer->outputDim : 0});
  }
  if (candidates.empty()) {
    fail(ErrorCode::kModelUnsupported,
         "expected at least one weight to prune, found none: the model has no convolution, linear or "
         "transposed "
         "convolution that the options leave; look at include, exclude and `espalier inspect`");
  }
  return candidates;
}

// [channels, weights of a channel]
at::Tensor rowsOf(const Candidate& candidate, const at::Tensor& tensor) {
  return tensor.movedim(candidate.outputDim, 0).flatten(1);
}

at::Tensor scoresOf(const Candidate& candidate, bool channels) {
  const at::Tensor magnitude = candidate.weight.detach().abs();
  if (!channels) return magnitude;
  // The root of the mean square: under global scope a layer must not win by the size of its channels.
  return rowsOf(candidate, magnitude.to(at::kDouble)).square().mean(1).sqrt();
}

std::vector<at::Tensor> selectKept(const std::vector<Candidate>& candidates, const Options& options,
                                   double sparsity) {
  std::vector<ScoreGroup> groups;
  int64_t all = 0;
  for (const Candidate& candidate : candidates) {
    ScoreGroup group{candidate.path, scoresOf(candidate, options.channels()), 0, 0};
    const auto size = static_cast<double>(group.scores.numel());
    group.lowest = static_cast<int64_t>(std::ceil(options.layerFloor * size));
    group.highest = static_cast<int64_t>(std::floor(options.layerCeiling * size));
    all += group.scores.numel();
    groups.push_back(std::move(group));
  }
  if (options.scope == Scope::kGlobal)
    return keepHighest(groups, std::llround(static_cast<double>(all) * sparsity));
  std::vector<at::Tensor> kept;
  for (const ScoreGroup& group : groups) {
    const int64_t count = std::llround(static_cast<double>(group.scores.numel()) * sparsity);
    kept.push_back(keepHighest({group}, count).front());
  }
  return kept;
}

at::Tensor keepNOfM(const Candidate& candidate, const NOfM& pattern) {
  const at::Tensor rows = rowsOf(candidate, candidate.weight.detach().abs());
  if (rows.size(1) % pattern.m != 0) {
    fail(ErrorCode::kTargetUnreachable, "expected a multiple of ", pattern.m, " weights in each row of ",
         candidate.path, ", found ", rows.size(1), ": exclude it, or choose another m");
  }
  const at::Tensor kept = keepHighestOfEach(rows, pattern.n, pattern.m);
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

// Prunes in place and writes down in the manifest what must stay zero.
std::shared_ptr<Mask> pruneTo(Model& model, const std::vector<Candidate>& candidates, const Options& options,
                              double sparsity) {
  auto mask = std::make_shared<Mask>(maskOf(candidates, options, sparsity));
  mask->apply(model);
  Value paths = Value::List{};
  for (const Candidate& candidate : candidates) paths.push(candidate.path);
  model.mutableManifest().set("sparsity", weightSparsity(model)).set("pruned", std::move(paths));
  return mask;
}

void describeLayers(const std::vector<Candidate>& candidates, Report& report) {
  for (const Candidate& candidate : candidates) {
    const at::Tensor magnitude = candidate.weight.detach().abs();
    const at::Tensor kept = magnitude.masked_select(magnitude.gt(0));
    LayerFigures figures;
    figures.path = candidate.path;
    figures.weights = magnitude.numel();
    figures.zeros = magnitude.numel() - kept.numel();
    figures.sparsity =
        figures.weights == 0 ? 0 : static_cast<double>(figures.zeros) / static_cast<double>(figures.weights);
    if (kept.numel() > 0) figures.threshold = kept.min().item<double>();
    report.totals.weights += figures.weights;
    report.totals.zeros += figures.zeros;
    report.layers.push_back(std::move(figures));
  }
  report.sparsity = static_cast<double>(report.totals.zeros) / static_cast<double>(report.totals.weights);
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
    describeLayers(candidatesOf(*model_, options_), report_);
    return {model_, mask_};
  }

 private:
  void runGradual(const Gradual& gradual, double target) {
    const double start = sparsityOf(candidatesOf(*model_, options_), options_.channels());
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
    const std::vector<Candidate> candidates = candidatesOf(*model_, options_);
    mask_ = pruneTo(*model_, candidates, options_, sparsity);
    report_.stages.push_back({sparsityOf(candidates, options_.channels()), epochs});
  }

  // With the mask held: train.supervised keeps the zeros of a model.
  Value train(int64_t epochs) {
    SupervisedOptions options = options_.fineTune.value_or(SupervisedOptions{});
    options.epochs = epochs;
    options.keepZeros.value = true;
    const Value inputs = Value::Map{{"model", HandlePtr(model_)}, {"domain", HandlePtr(*inputs_.domain)}};
    MethodResult result = job_.run("train.supervised", inputs, toValue(options), static_cast<double>(epochs));
    // A clone: the checkpoint holds the sub-run's own, which the next stage must not change.
    model_ = std::dynamic_pointer_cast<Model>(result.outputs.at("model").asHandle())->clone();
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
