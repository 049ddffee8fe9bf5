#include "methods/attack/mask_guess.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/attack/attack.h"
#include "core/attack/measure.h"
#include "core/attack/refill.h"
#include "core/inputs.h"
#include "core/mask.h"
#include "core/prune/candidates.h"
#include "core/random.h"

// A guess at what a mask took away, without training: every pruned weight gets a value, or a share of the
// mask is flipped and the rest stays pruned. He noise: He et al. 2015, eq. 10; the protocol is ours.
namespace espalier {

namespace {

constexpr const char* kName = "attack.maskGuess";

enum class Refill { kMean, kHe };

}  // namespace

template <>
struct EnumNames<Refill> {
  static constexpr EnumName<Refill> kNames[] = {{Refill::kMean, "mean"}, {Refill::kHe, "he"}};
};

namespace {

struct Options {
  Refill refill = Refill::kMean;
  double flip = 0;
  int64_t tries = 5;
  template <class V>
  void fields(V&& visit) {
    visit("refill", refill);
    visit("flip", flip, {.min = 0, .max = 1});
    visit("tries", tries, {.min = 1, .max = 10000});
  }

  bool draws() const { return flip > 0 || refill == Refill::kHe; }
};

struct Row {
  int64_t number = 0;    // from 1
  int64_t refilled = 0;  // zeros that got a value
  int64_t removed = 0;   // kept weights that became zero
  int64_t zeros = 0;     // of the prunable weights, afterwards
  std::optional<double> selectAccuracy;
  PublishedAnswers after;
  template <class V>
  void fields(V&& visit) {
    visit("try", number);
    visit("refilled", refilled);
    visit("removed", removed);
    visit("zeros", zeros);
    visit("selectAccuracy", selectAccuracy);
    visit("after", after);
  }
};

struct Report : AttackFigures {
  int64_t best = 0;
  std::vector<Row> rows;
  template <class V>
  void fields(V&& visit) {
    AttackFigures::fields(visit);
    visit("best", best);
    visit("rows", rows);
  }
};

int64_t countOf(const at::Tensor& mask) { return mask.count_nonzero().item<int64_t>(); }

// `count` of the entries where `mask` is true, as a mask.
at::Tensor drawn(const at::Tensor& mask, int64_t count, uint64_t seed) {
  const at::Tensor entries = mask.cpu().reshape({-1}).nonzero().reshape({-1});
  auto* data = entries.mutable_data_ptr<int64_t>();
  SplitMix64 random(seed);
  // Fisher and Yates, as far as it is needed.
  for (int64_t i = 0; i < count; ++i)
    std::swap(data[i],
              data[i + static_cast<int64_t>(random.below(static_cast<uint64_t>(entries.numel() - i)))]);
  at::Tensor chosen = torch::zeros({mask.numel()}, at::kBool);
  chosen.index_fill_(0, entries.narrow(0, 0, count), true);
  return chosen.reshape(mask.sizes()).to(mask.device());
}

// Adds to the counts of the row.
void guess(const Candidate& candidate, const Options& options, uint64_t seed, Row& row) {
  const at::Tensor weight = candidate.weight.detach();
  const at::Tensor values = options.refill == Refill::kHe
                                ? heNoise(weight, candidate.path, mixSeed(seed, "noise"))
                                : keptMean(weight);
  const at::Tensor kept = weight.ne(0);
  at::Tensor filled = kept.logical_not();
  if (options.flip > 0) {
    const int64_t wanted = std::llround(options.flip * static_cast<double>(weight.numel()) / 2);
    const int64_t pairs = std::min({wanted, countOf(kept), countOf(filled)});
    const uint64_t own = mixSeed(seed, candidate.path);
    filled = drawn(filled, pairs, mixSeed(own, "refilled"));
    weight.masked_fill_(drawn(kept, pairs, mixSeed(own, "removed")), 0);
    row.removed += pairs;
  }
  weight.copy_(torch::where(filled, values, weight));
  row.refilled += countOf(weight.masked_select(filled));
  row.zeros += countOf(weight.eq(0));
}

Row guessAll(Model& model, const Options& options, uint64_t seed) {
  const torch::NoGradGuard noGrad;
  Row row;
  const std::vector<Candidate> candidates = pruningCandidates(model, {});
  for (const Candidate& candidate : candidates) guess(candidate, options, seed, row);
  if (row.refilled == 0 && options.flip > 0) {
    fail(ErrorCode::kOutOfRange, kName,
         ": expected a flip that changes a kept and a pruned weight, received ", options.flip,
         ": no layer is so large, or none has both");
  }
  if (row.refilled == 0) {
    fail(ErrorCode::kModelUnsupported, kName,
         ": expected a layer with zeros and weights that have a mean, found none: use refill 'he'");
  }
  restateSparsity(model);
  return row;
}

AttackOutput run(const ModelOnDomain& inputs, const Options& options, Report& report, Job& job) {
  requireAttackable(*inputs.model, *inputs.domain, kName);
  const ReportData data = inputs.domain->report(kName);
  // Without a draw they would all be the same.
  const int64_t tries = options.draws() ? options.tries : 1;
  std::optional<SelectData> select;
  if (tries > 1) select = inputs.domain->select(kName);
  const std::shared_ptr<Model> model = inputs.model->to(job.device());
  if (weightSparsity(*model) == 0) failWithoutZeros(kName);
  job.plan(static_cast<double>(1 + tries * (select ? 2 : 1)));
  report.before = measureAnswers(*model, data, "before", 1, job);
  AttackOutput output;
  std::optional<double> best;
  for (int64_t number = 1; number <= tries; ++number) {
    job.checkCancelled();
    const Stopwatch watch;
    const std::shared_ptr<Model> guessed = model->clone();
    Row row =
        guessAll(*guessed, options, mixSeed(mixSeed(job.seed(), "guess"), static_cast<uint64_t>(number)));
    row.number = number;
    if (select)
      row.selectAccuracy =
          measureAnswers(*guessed, select.value(), text("choose, try ", number), 1, job).accuracy();
    report.cost.seconds += watch.seconds();
    row.after = measureAnswers(*guessed, data, text("after try ", number), 1, job);
    if (!output.model || row.selectAccuracy > best) {
      output.model = guessed;
      best = row.selectAccuracy;
      report.best = number;
      report.after = row.after;
    }
    report.rows.push_back(std::move(row));
  }
  return output;
}

}  // namespace

Method attackMaskGuess() { return method(kName, run); }

}  // namespace espalier
