#include "methods/attack/quantize.h"

#include <algorithm>
#include <functional>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/attack/attack.h"
#include "core/attack/grid.h"
#include "core/attack/measure.h"
#include "core/inputs.h"
#include "core/mask.h"
#include "core/prune/candidates.h"
#include "core/prune/layer_figures.h"

// Weights rounded to few bits, as whoever makes a model small would: does what protects it live in their last
// digits? Simulated: the rounded weights stay floats.
namespace espalier {

namespace {

constexpr const char* kName = "attack.quantize";

enum class Granularity { kTensor, kChannel };

}  // namespace

template <>
struct EnumNames<Granularity> {
  static constexpr EnumName<Granularity> kNames[] = {{Granularity::kTensor, "tensor"},
                                                     {Granularity::kChannel, "channel"}};
};

namespace {

struct Options {
  std::vector<int64_t> bits = {8, 5, 4};
  Granularity granularity = Granularity::kChannel;
  template <class V>
  void fields(V&& visit) {
    visit("bits", bits, {.min = 2, .max = 16});
    visit("granularity", granularity);
  }
};

struct Row {
  int64_t bits = 0;
  double error = 0;  // sum of squared differences over sum of squares, of all rounded weights
  WeightTotals totals;
  PublishedAnswers after;
  template <class V>
  void fields(V&& visit) {
    visit("bits", bits);
    visit("error", error);
    totals.fields(visit);
    visit("after", after);
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

std::vector<int64_t> descending(std::vector<int64_t> bits) {
  if (bits.empty())
    fail(ErrorCode::kOutOfRange, kName, ": expected at least one number for bits, received none");
  std::sort(bits.begin(), bits.end(), std::greater<>());
  bits.erase(std::unique(bits.begin(), bits.end()), bits.end());
  return bits;
}

void requireFinite(const std::vector<Candidate>& candidates) {
  for (const Candidate& candidate : candidates) {
    if (candidate.weight.detach().isfinite().all().item<bool>()) continue;
    fail(ErrorCode::kModelUnsupported, kName, ": expected finite numbers in ", candidate.path,
         ", found NaN or infinity: its weights have no grid; repair or retrain the model");
  }
}

double squares(const at::Tensor& tensor) { return tensor.square().sum().item<double>(); }

// Rounds the model's weights in place; all of the row but its accuracy.
Row quantize(Model& model, int64_t bits, Granularity granularity) {
  const torch::NoGradGuard noGrad;
  Row row;
  row.bits = bits;
  double before = 0;
  double difference = 0;
  const std::vector<Candidate> candidates = pruningCandidates(model, {});
  for (const Candidate& candidate : candidates) {
    std::optional<int64_t> channels;
    if (granularity == Granularity::kChannel) channels = candidate.outputDim;
    const at::Tensor weight = candidate.weight.detach();
    const at::Tensor rounded = quantized(weight, bits, channels);
    before += squares(weight.to(at::kDouble));
    difference += squares(weight.to(at::kDouble) - rounded.to(at::kDouble));
    weight.copy_(rounded);
  }
  if (before > 0) row.error = difference / before;
  row.totals = measureSparsity(candidates).totals;
  restateSparsity(model);
  return row;
}

AttackOutput run(const ModelOnDomain& inputs, const Options& options, Report& report, Job& job) {
  const std::vector<int64_t> widths = descending(options.bits);
  requireAttackable(*inputs.model, *inputs.domain, kName);
  const ReportData data = inputs.domain->report(kName);
  const std::shared_ptr<Model> model = inputs.model->to(job.device());
  requireFinite(pruningCandidates(*model, {}));
  job.plan(static_cast<double>(widths.size() + 1));
  report.before = measureAnswers(*model, data, "before", 1, job);
  AttackOutput output;
  // Each from the given model.
  for (const int64_t bits : widths) {
    job.checkCancelled();
    const Stopwatch watch;
    output.model = model->clone();
    Row row = quantize(*output.model, bits, options.granularity);
    report.cost.seconds += watch.seconds();
    row.after = measureAnswers(*output.model, data, text("after ", bits, " bits"), 1, job);
    report.rows.push_back(std::move(row));
  }
  report.after = report.rows.back().after;
  return output;
}

}  // namespace

Method attackQuantize() { return method(kName, run); }

}  // namespace espalier
