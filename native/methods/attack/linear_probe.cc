#include "methods/attack/linear_probe.h"

#include <chrono>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/attack/attack.h"
#include "core/attack/features.h"
#include "core/initialize.h"
#include "core/inputs.h"
#include "core/random.h"
#include "core/train/loss.h"
#include "core/train/trainer.h"

// Logistic regression on a model's features, which are computed once: how much they still tell about a
// domain, whatever the classifier says. They are standardised, or a model whose features are small would seem
// to tell nothing; the classifier that is returned has that folded in.
namespace espalier {

namespace {

constexpr const char* kName = "attack.linearProbe";

struct Options {
  AttackSamples samples;
  TransferTraining training;
  template <class V>
  void fields(V&& visit) {
    samples.fields(visit);
    training.fields(visit);
  }
};

struct State {
  double learningRate = 0;  // given, the same on resume

  at::Tensor weight;
  at::Tensor bias;
  Optimizer optimizer;
  int64_t images = 0;
  double seconds = 0;
  template <class V>
  void fields(V&& visit) {
    visit("weight", weight);
    visit("bias", bias);
    visit("optimizer", optimizer);
    visit("images", images);
    visit("seconds", seconds);
  }
};

void step(State& state, const Batches& batches, StepContext& context) {
  const auto start = std::chrono::steady_clock::now();
  const at::Tensor logits = at::linear(batches[0].inputs, state.weight, state.bias);
  const at::Tensor losses = crossEntropy(logits, batches[0].labels, 0);
  const at::Tensor loss = losses.mean();
  context.backward(loss, state.optimizer.parameters(), losses);
  context.optimise(state.optimizer, state.learningRate);
  context.log("loss", loss);
  state.images += batches[0].labels.size(0);
  state.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

const Layer& linearHead(const Model& model) {
  const Layer& head = model.layers()[headLayer(model)];
  if (head.kind == LayerKind::kLinear && head.bias.defined()) return head;
  fail(ErrorCode::kModelUnsupported, kName, ": expected a linear layer with a bias as classifier, found ",
       enumName(head.kind), " ", head.path, ": use attack.retrainHead");
}

State freshProbe(const Layer& head, const TransferOptions& options, double rate, uint64_t seed) {
  State state;
  state.learningRate = rate;
  state.weight = torch::empty_like(head.weight.detach());
  state.bias = torch::empty_like(head.bias.detach());
  initializeLayer(state.weight, state.bias, seed, head.path);
  state.weight.set_requires_grad(true);
  state.bias.set_requires_grad(true);
  state.optimizer = Optimizer(options.rule(), {state.weight, state.bias});
  return state;
}

// Of the attacker's samples, a value a feature.
struct Standard {
  at::Tensor mean;
  at::Tensor deviation;  // 1 where a feature is constant

  explicit Standard(const at::Tensor& features)
      : mean(features.mean(0)), deviation(features.std(0, /*unbiased=*/false)) {
    deviation.masked_fill_(deviation.eq(0), 1);
  }
  at::Tensor of(const at::Tensor& features) const { return (features - mean) / deviation; }
};

AttackOutput run(const ModelOnDomain& inputs, const Options& options, TrainedAttackFigures& report,
                 Job& job) {
  const FitData samples = drawSamples(*inputs.domain, options.samples, kName, job.seed());
  requireAttackable(*inputs.model, *inputs.domain, kName);
  const TransferOptions transfer(options.training);
  transfer.check();
  std::optional<SelectData> select;
  if (transfer.learningRates.size() > 1) select = inputs.domain->select(kName);
  const ReportData data = inputs.domain->report(kName);
  const auto tick = [&job] { job.checkCancelled(); };
  job.plan(static_cast<double>(transfer.learningRates.size()));

  AttackOutput output{inputs.model->clone()->to(job.device())};
  const Layer& head = linearHead(*output.model);
  report.samples = report.cost.labels = samples->size();
  report.before = countAnswers(*output.model, data, tick);
  const at::Tensor found = featuresOf(*output.model, *samples, tick).to(at::kFloat).cpu();
  const Standard standard(found);
  const FitData features(Dataset::fromTensors(standard.of(found), samples->labels(), samples->classes()));
  const auto put = [&](const State& probe) {
    const torch::NoGradGuard noGrad;
    const at::Tensor weight = probe.weight.cpu() / standard.deviation;
    head.weight.detach().copy_(weight);
    head.bias.detach().copy_(probe.bias.cpu() - weight.mv(standard.mean));
  };
  std::optional<State> chosen;
  for (const double rate : transfer.learningRates) {
    State state = freshProbe(head, transfer, rate, mixSeed(job.seed(), "probe"));
    Phase<State> phase;
    phase.name = "probe";
    phase.streams.emplace_back(features, transferStream(*features, transfer));
    phase.stepsPerEpoch = transfer.steps;
    phase.step = step;
    train<State>(job, state, {phase});
    report.cost.steps += transfer.steps;
    report.cost.images += state.images;
    report.cost.seconds += state.seconds;
    put(state);
    std::optional<double> accuracy;
    if (select) accuracy = countAnswers(*output.model, *select, tick).accuracy();
    if (chosen && !(accuracy > report.selectAccuracy)) continue;
    chosen = std::move(state);
    report.learningRate = rate;
    report.selectAccuracy = accuracy;
  }
  put(chosen.value());
  report.after = countAnswers(*output.model, data, tick);
  return output;
}

}  // namespace

Method attackLinearProbe() { return method(kName, run); }

}  // namespace espalier
