#include "methods/attack/prune.h"

#include <algorithm>

#include <torch/types.h>

#include "core/attack/attack.h"
#include "core/attack/measure.h"
#include "core/inputs.h"
#include "core/mask.h"
#include "core/prune/candidates.h"
#include "core/prune/layer_figures.h"
#include "core/prune/selection.h"

// Magnitude pruning of somebody else's model (Han et al. 2015): does what protects it live in small weights?
// It takes no data; whoever has some fine-tunes afterwards, with the zeros held.
namespace espalier {

namespace {

constexpr const char* kName = "attack.prune";
// Of the job's work, where a training is one.
constexpr double kMeasureUnits = 0.1;

struct Options {
  AttackSamples samples;
  std::vector<double> sparsity = {0.5};
  PruningScope scope = PruningScope::kLayer;
  int64_t steps = 0;
  TransferUpdates updates;
  template <class V>
  void fields(V&& visit) {
    samples.fields(visit);
    visit("sparsity", sparsity, {.min = 0, .max = 1, .exclusiveMin = true, .exclusiveMax = true});
    visit("scope", scope);
    visit("steps", steps, {.min = 0, .max = 10000000});
    updates.fields(visit);
  }
};

struct Row {
  double sparsity = 0;  // asked for
  WeightTotals totals;  // of the prunable weights
  int64_t cut = 0;      // that were not zero before
  PublishedAnswers after;
  std::optional<double> learningRate;
  std::optional<double> selectAccuracy;
  AttackCost cost;
  template <class V>
  void fields(V&& visit) {
    visit("sparsity", sparsity);
    totals.fields(visit);
    visit("cut", cut);
    visit("after", after);
    visit("learningRate", learningRate);
    visit("selectAccuracy", selectAccuracy);
    visit("cost", cost);
  }
};

struct Report : AttackFigures {
  std::vector<Row> rows;
  template <class V>
  void fields(V&& visit) {
    AttackFigures::fields(visit);
    visit("rows", rows);
  }
};

std::vector<double> ascending(std::vector<double> values) {
  if (values.empty())
    fail(ErrorCode::kOutOfRange, kName, ": expected at least one number for sparsity, received none");
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

WeightTotals totalsOf(const Model& model) { return measureSparsity(pruningCandidates(model, {})).totals; }

void cutLowest(Model& model, double sparsity, PruningScope scope) {
  std::vector<ScoreGroup> groups;
  for (const Candidate& candidate : pruningCandidates(model, {})) {
    const at::Tensor magnitude = candidate.weight.detach().abs();
    groups.push_back({candidate.path, magnitude, 0, magnitude.numel()});
  }
  const std::vector<at::Tensor> kept = keepHighestShare(groups, sparsity, scope);
  std::vector<Mask::Entry> entries;
  for (size_t i = 0; i < groups.size(); ++i) entries.push_back({groups[i].name, kept[i]});
  prune(model, Mask(std::move(entries)));
}

class Attack {
 public:
  Attack(const ModelOnDomain& inputs, const Options& options, Report& report, Job& job)
      : domain_(*inputs.domain),
        options_(options),
        transfer_(TransferTraining(options.updates, options.steps)),
        report_(report),
        job_(job),
        sparsities_(ascending(options.sparsity)),
        data_(domain_.report(kName)) {
    requireAttackable(*inputs.model, domain_, kName);
    model_ = inputs.model->to(job.device());
    if (options.steps > 0) samples_ = drawSamples(domain_, options.samples, kName, job.seed());
    const auto rows = static_cast<double>(sparsities_.size());
    const size_t trainings = samples_ ? options.updates.learningRates.size() : 0;
    job.plan(rows * static_cast<double>(trainings) + kMeasureUnits * (rows + 1));
  }

  AttackOutput run() {
    if (samples_) report_.samples = report_.cost.labels = samples_.value()->size();
    report_.before = measureAnswers(*model_, data_, "before", kMeasureUnits, job_);
    const WeightTotals given = totalsOf(*model_);
    AttackOutput output;
    // Each from the given model: what is cut for a smaller sparsity is cut for a larger one too.
    for (const double sparsity : sparsities_) {
      Row row;
      row.sparsity = sparsity;
      output.model = attack(row);
      row.totals = totalsOf(*output.model);
      row.cut = row.totals.zeros - given.zeros;
      row.after =
          measureAnswers(*output.model, data_, text("after sparsity ", sparsity), kMeasureUnits, job_);
      if (row.cut == 0) {
        job_.warn(text("nothing was cut for sparsity ", sparsity, ": ", given.zeros, " of ", given.weights,
                       " weights of the model are zero already"));
      }
      report_.cost.images += row.cost.images;
      report_.cost.steps += row.cost.steps;
      report_.cost.seconds += row.cost.seconds;
      report_.rows.push_back(std::move(row));
    }
    report_.after = report_.rows.back().after;
    return output;
  }

 private:
  std::shared_ptr<Model> attack(Row& row) {
    job_.checkCancelled();
    const Stopwatch watch;
    std::shared_ptr<Model> pruned = startTransfer(*model_, transfer_, job_.seed());
    cutLowest(*pruned, row.sparsity, options_.scope);
    row.cost.seconds = watch.seconds();
    if (!samples_) return pruned;
    TrainedAttackFigures trained;
    std::shared_ptr<Model> tuned = trainBest(*pruned, {{"fine-tune", samples_.value(), options_.steps}},
                                             transfer_, domain_, trained, job_);
    row.learningRate = trained.learningRate;
    row.selectAccuracy = trained.selectAccuracy;
    row.cost.images = trained.cost.images;
    row.cost.labels = samples_.value()->size();
    row.cost.steps = trained.cost.steps;
    row.cost.seconds += trained.cost.seconds;
    return tuned;
  }

  const Domain& domain_;
  const Options& options_;
  TransferOptions transfer_;
  Report& report_;
  Job& job_;
  std::vector<double> sparsities_;
  ReportData data_;
  std::shared_ptr<Model> model_;
  std::optional<FitData> samples_;
};

AttackOutput run(const ModelOnDomain& inputs, const Options& options, Report& report, Job& job) {
  return Attack(inputs, options, report, job).run();
}

}  // namespace

Method attackPrune() { return method(kName, run); }

}  // namespace espalier
