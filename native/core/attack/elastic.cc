#include "core/attack/elastic.h"

#include <chrono>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/train/loss.h"
#include "core/train/trainable.h"
#include "core/train/trainer.h"

namespace espalier {

namespace {

struct State {
  // Given, the same on resume.
  std::vector<at::Tensor> weights;
  double share = 0;  // of one sample

  std::shared_ptr<Model> model;  // it stays as it is: so that a gradient that is no number has a layer
  Fisher fisher;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("diagonal", fisher.diagonal);
    visit("seconds", fisher.seconds);
  }
};

void step(State& state, const Batches& batches, StepContext& context) {
  const auto start = std::chrono::steady_clock::now();
  const at::Tensor logits = context.forward(*state.model, batches[0].inputs, Mode::kEval);
  const at::Tensor losses = crossEntropy(logits, batches[0].labels, 0);
  const at::Tensor loss = losses.mean();
  context.backward(loss, state.weights, losses);
  context.log("loss", loss);
  const torch::NoGradGuard noGrad;
  for (size_t i = 0; i < state.weights.size(); ++i) {
    at::Tensor& gradient = state.weights[i].mutable_grad();
    if (!gradient.defined()) continue;
    state.fisher.diagonal[i].add_(gradient.to(state.fisher.diagonal[i].scalar_type()).square(), state.share);
    gradient.reset();
  }
  state.fisher.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

double Fisher::mean() const {
  double sum = 0;
  int64_t count = 0;
  for (const at::Tensor& values : diagonal) {
    sum += values.sum(at::kDouble).item<double>();
    count += values.numel();
  }
  return count > 0 ? sum / static_cast<double>(count) : 0;
}

Fisher empiricalFisher(const std::shared_ptr<Model>& model, const FitData& samples, double units, Job& job) {
  State state;
  state.model = model;
  state.weights = trainableOf(*model, nullptr).parameters;
  state.share = 1 / static_cast<double>(samples->size());
  for (const at::Tensor& weight : state.weights) {
    const bool isDouble = weight.scalar_type() == at::kDouble;
    state.fisher.diagonal.push_back(torch::zeros(
        weight.sizes(), weight.options().dtype(isDouble ? at::kDouble : at::kFloat).requires_grad(false)));
  }
  Phase<State> phase;
  phase.name = "fisher";
  // One by one: the square of a batch's gradient is not the sum of its samples' squares.
  StreamOptions oneByOne;
  oneByOne.batchSize = 1;
  oneByOne.shuffle = false;
  phase.streams.emplace_back(samples, oneByOne);
  phase.step = step;
  train<State>(job, state, {phase}, {.units = units});
  return state.fisher;
}

at::Tensor elasticDistance(const std::vector<at::Tensor>& weights, const std::vector<at::Tensor>& anchors,
                           const std::vector<at::Tensor>& fisher) {
  at::Tensor sum;
  for (size_t i = 0; i < weights.size(); ++i) {
    const at::Tensor pull = (fisher[i] * (weights[i] - anchors[i]).square()).sum();
    sum = sum.defined() ? sum + pull : pull;
  }
  return sum;
}

}  // namespace espalier
