#include "methods/attack/nearest_neighbour.h"

#include <chrono>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/attack/attack.h"
#include "core/attack/features.h"
#include "core/inputs.h"

// Nearest neighbours among labelled samples by the cosine of their features: no training at all. Where it
// does well a protection confuses only the classifier.
namespace espalier {

namespace {

constexpr const char* kName = "attack.nearestNeighbour";

struct Options {
  AttackSamples samples;
  int64_t neighbours = 5;
  template <class V>
  void fields(V&& visit) {
    samples.fields(visit);
    visit("neighbours", neighbours, {.min = 1, .max = 10000});
  }
};

at::Tensor directions(const at::Tensor& features) {
  return features / features.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
}

// Of equal votes the class of the smaller number wins.
at::Tensor vote(const at::Tensor& queries, const at::Tensor& known, const at::Tensor& labels,
                const Options& options, int64_t classes) {
  const at::Tensor nearest = std::get<1>(torch::mm(queries, known.t()).topk(options.neighbours, 1));
  return torch::one_hot(labels.index_select(0, nearest.reshape(-1)).view_as(nearest), classes)
      .sum(1)
      .argmax(1);
}

AttackOutput run(const ModelOnDomain& inputs, const Options& options, AttackFigures& report, Job& job) {
  constexpr int64_t kChunk = 1024;
  const torch::NoGradGuard noGrad;
  const FitData samples = drawSamples(*inputs.domain, options.samples, kName, job.seed());
  requireAttackable(*inputs.model, *inputs.domain, kName);
  if (options.neighbours > samples->size()) {
    fail(ErrorCode::kOutOfRange, kName, ": expected at most ", samples->size(),
         " (the attacker's samples) for neighbours, received ", options.neighbours);
  }
  const ReportData data = inputs.domain->report(kName);
  const auto tick = [&job] { job.checkCancelled(); };
  AttackOutput output{inputs.model->clone()->to(job.device())};
  const Model& model = *output.model;
  report.samples = report.cost.labels = report.cost.images = samples->size();
  report.before = countAnswers(model, data, tick);
  const auto start = std::chrono::steady_clock::now();
  const at::Tensor known = directions(featuresOf(model, *samples, tick));
  const at::Tensor labels = samples->labels().to(job.device());
  report.cost.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const at::Tensor queries = directions(featuresOf(model, *data, tick));
  const at::Tensor truth = data->labels().to(job.device());
  Answers answers{0, data->size()};
  for (int64_t begin = 0; begin < data->size(); begin += kChunk) {
    tick();
    const int64_t end = std::min(data->size(), begin + kChunk);
    const at::Tensor guess =
        vote(queries.slice(0, begin, end), known, labels, options, inputs.domain->classes());
    answers.right += guess.eq(truth.slice(0, begin, end)).sum().item<int64_t>();
  }
  report.after = PublishedAnswers(answers);
  return output;
}

}  // namespace

Method attackNearestNeighbour() { return method(kName, run); }

}  // namespace espalier
