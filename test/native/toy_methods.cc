#include "toy_methods.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "core/inputs.h"
#include "core/job.h"
#include "core/mask.h"
#include "core/metrics.h"
#include "core/train/loss.h"
#include "core/train/trainer.h"

namespace espalier::test {

std::function<void()> onToyStep;

std::shared_ptr<Model> makePerceptron(int64_t inputs, int64_t hidden, int64_t outputs, uint64_t seed) {
  torch::jit::Module module("Perceptron");
  auto generator = at::detail::createCPUGenerator(seed);
  const auto parameter = [&](const char* name, std::vector<int64_t> shape) {
    module.register_parameter(name, (torch::randn(shape, generator) * 0.3).requires_grad_(),
                              /*is_buffer=*/false);
  };
  parameter("w1", {hidden, inputs});
  parameter("b1", {hidden});
  parameter("w2", {outputs, hidden});
  parameter("b2", {outputs});
  module.register_attribute("training", c10::BoolType::get(), true);
  module.define(R"(
    def forward(self, x):
      h = torch.relu(torch.linear(torch.flatten(x, 1), self.w1, self.b1))
      return torch.linear(torch.dropout(h, 0.2, self.training), self.w2, self.b2)
  )");
  return Model::fromModule(module);
}

namespace {

struct ModelOutput {
  std::shared_ptr<Model> model;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
  }
};

struct NoOptions {
  template <class V>
  void fields(V&&) {}
};

std::vector<at::Tensor> trainable(const Model& model) {
  std::vector<at::Tensor> out;
  for (const ParameterInfo& info : model.parameters()) out.push_back(info.tensor);
  return out;
}

OptimizerOptions adam() {
  OptimizerOptions options;
  options.kind = OptimizerKind::kAdam;
  options.learningRate = 0.01;
  return options;
}

TrainingStream stream(const ModelOnDomain& inputs) {
  StreamOptions options;
  options.batchSize = 10;
  return {inputs.domain->fit("toy"), options};
}

// --- gradual pruning

struct CurveReport {
  std::vector<double> curve;
  template <class V>
  void fields(V&& visit) {
    visit("curve", curve);
  }
};

struct GradualState {
  std::optional<SelectData> select;
  std::shared_ptr<Model> model;
  Optimizer optimizer;
  std::vector<at::Tensor> masks;
  std::vector<at::Tensor> best;
  double bestLoss = std::numeric_limits<double>::infinity();
  std::vector<double> curve;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("optimizer", optimizer);
    visit("masks", masks, kCollected);
    visit("best", best, kCollected);
    visit("bestLoss", bestLoss);
    visit("curve", curve, kCollected);
  }
};

void gradualStep(GradualState& state, const Batches& batches, StepContext& context) {
  onToyStep();
  const at::Tensor loss =
      crossEntropy(context.forward(*state.model, batches[0].inputs), batches[0].labels, 0.1).mean();
  context.backward(loss, state.optimizer.parameters());
  context.optimise(state.optimizer, 0.01);
  const torch::NoGradGuard noGrad;
  for (size_t i = 0; i < state.masks.size(); ++i) state.optimizer.parameters()[i].mul_(state.masks[i]);
  context.log("loss", loss);
}

void gradualEpoch(GradualState& state, int64_t epoch, Job& job) {
  const torch::NoGradGuard noGrad;
  state.masks.clear();
  for (const at::Tensor& weight : state.optimizer.parameters()) {
    const double quantile = 0.2 * static_cast<double>(epoch + 1);
    state.masks.push_back(weight.abs().ge(weight.abs().quantile(quantile)).to(at::kFloat));
    weight.mul_(state.masks.back());
  }
  const double loss = evaluateClassifier(*state.model, *state.select, {}, job).loss;
  state.curve.push_back(loss);
  if (loss < state.bestLoss) {
    state.bestLoss = loss;
    state.best.clear();
    for (const at::Tensor& weight : state.optimizer.parameters())
      state.best.push_back(weight.detach().clone());
  }
}

ModelOutput runGradual(const ModelOnDomain& inputs, const NoOptions&, CurveReport& report, Job& job) {
  GradualState state;
  state.select = inputs.domain->select("toy");
  state.model = inputs.model->clone();
  state.optimizer = Optimizer(adam(), trainable(*state.model));
  Phase<GradualState> phase;
  phase.name = "gradual";
  phase.streams = {stream(inputs)};
  phase.epochs = 3;
  phase.step = gradualStep;
  phase.endEpoch = gradualEpoch;
  train(job, state, {phase});
  const torch::NoGradGuard noGrad;
  for (size_t i = 0; i < state.best.size(); ++i) state.optimizer.parameters()[i].copy_(state.best[i]);
  report.curve = state.curve;
  return {state.model};
}

// --- ADMM with a second network

struct AdmmState {
  std::shared_ptr<Model> model;
  std::shared_ptr<Model> critic;
  Optimizer optimizer;
  Optimizer criticOptimizer;
  std::vector<at::Tensor> z;
  std::vector<at::Tensor> u;
  double residual = 0;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("critic", critic);
    visit("optimizer", optimizer);
    visit("criticOptimizer", criticOptimizer);
    visit("z", z, kCollected);
    visit("u", u, kCollected);
    visit("residual", residual);
  }
};

void criticStep(AdmmState& state, const Batches& batches, StepContext& context) {
  onToyStep();
  const at::Tensor loss =
      crossEntropy(context.forward(*state.critic, batches[0].inputs), batches[0].labels, 0).mean();
  context.backward(loss, state.criticOptimizer.parameters());
  context.optimise(state.criticOptimizer, 0.02);
}

void admmStep(AdmmState& state, const Batches& batches, StepContext& context) {
  onToyStep();
  at::Tensor loss =
      crossEntropy(context.forward(*state.model, batches[0].inputs), batches[0].labels, 0).mean();
  const at::Tensor critic = context.forward(*state.critic, batches[0].inputs, Mode::kEval).detach();
  loss = loss + 0.1 * softTargets(context.forward(*state.model, batches[0].inputs), critic, 2).mean();
  const auto& weights = state.optimizer.parameters();
  for (size_t i = 0; i < weights.size(); ++i)
    loss = loss + 0.05 * (weights[i] - state.z[i] + state.u[i]).square().sum();
  context.backward(loss, weights);
  context.optimise(state.optimizer, 0.01);
}

void admmBegin(AdmmState& state, Job&) {
  for (const at::Tensor& weight : state.optimizer.parameters()) {
    state.z.push_back(weight.detach().clone());
    state.u.push_back(torch::zeros_like(weight.detach()));
  }
}

void admmEpoch(AdmmState& state, int64_t, Job&) {
  const torch::NoGradGuard noGrad;
  state.residual = 0;
  for (size_t i = 0; i < state.z.size(); ++i) {
    const at::Tensor& weight = state.optimizer.parameters()[i];
    const at::Tensor target = weight + state.u[i];
    state.z[i] = target * target.abs().gt(0.1);
    state.u[i] += weight - state.z[i];
    state.residual += (weight - state.z[i]).norm().item<double>();
  }
}

ModelOutput runAdmm(const ModelOnDomain& inputs, const NoOptions&, CurveReport& report, Job& job) {
  AdmmState state;
  state.model = inputs.model->clone();
  state.critic = makePerceptron(16, 6, 3, job.seed() + 1);
  state.optimizer = Optimizer(adam(), trainable(*state.model));
  OptimizerOptions sgd;
  sgd.clipNorm = 1.0;
  state.criticOptimizer = Optimizer(sgd, trainable(*state.critic));
  Phase<AdmmState> warm;
  warm.name = "critic";
  warm.streams = {stream(inputs)};
  warm.step = criticStep;
  Phase<AdmmState> admm;
  admm.name = "admm";
  admm.streams = {stream(inputs)};
  admm.epochs = 2;
  admm.begin = admmBegin;
  admm.step = admmStep;
  admm.endEpoch = admmEpoch;
  train(job, state, {warm, admm});
  report.curve = {state.residual};
  return {state.model};
}

// --- generator and discriminator

struct AdversarialState {
  std::shared_ptr<Model> generator;
  std::shared_ptr<Model> discriminator;
  Optimizer generatorOptimizer;
  Optimizer discriminatorOptimizer;
  template <class V>
  void fields(V&& visit) {
    visit("generator", generator);
    visit("discriminator", discriminator);
    visit("generatorOptimizer", generatorOptimizer);
    visit("discriminatorOptimizer", discriminatorOptimizer);
  }
};

void adversarialStep(AdversarialState& state, const Batches& batches, StepContext& context) {
  onToyStep();
  const int64_t n = batches[0].inputs.size(0);
  const auto noise = [&] { return torch::randn({n, 1, 2, 4}, context.generator("noise")); };
  const auto judge = [&](const at::Tensor& images, double truth) {
    const at::Tensor logits = context.forward(*state.discriminator, images).squeeze(1);
    return at::binary_cross_entropy_with_logits(logits, torch::full_like(logits, truth));
  };
  const at::Tensor fake = context.forward(*state.generator, noise()).reshape({n, 1, 4, 4});
  const at::Tensor real = judge(batches[0].inputs, 1) + judge(batches[1].inputs, 1);
  context.backward(real + judge(fake.detach(), 0), state.discriminatorOptimizer.parameters());
  context.optimise(state.discriminatorOptimizer, 0.01);
  const at::Tensor again = context.forward(*state.generator, noise()).reshape({n, 1, 4, 4});
  context.backward(judge(again, 1), state.generatorOptimizer.parameters());
  context.optimise(state.generatorOptimizer, 0.01);
}

ModelOutput runAdversarial(const ModelOnDomain& inputs, const NoOptions&, CurveReport&, Job& job) {
  AdversarialState state;
  state.generator = makePerceptron(8, 6, 16, job.seed());
  state.discriminator = makePerceptron(16, 6, 1, job.seed() + 1);
  state.generatorOptimizer = Optimizer(adam(), trainable(*state.generator));
  state.discriminatorOptimizer = Optimizer(adam(), trainable(*state.discriminator));
  Phase<AdversarialState> phase;
  phase.name = "adversarial";
  TrainingStream second = stream(inputs);
  second.options.batchSize = 7;
  phase.streams = {stream(inputs), second};
  phase.epochs = 2;
  phase.step = adversarialStep;
  train(job, state, {phase});
  return {state.generator};
}

// --- sub-runs

ModelOutput runParent(const ModelOnDomain& inputs, const NoOptions&, CurveReport& report, Job& job) {
  job.plan(2);
  report.curve.push_back(job.memo("constant", [] { return Value(0.25); }).asDouble());
  Value given = Value::Map{{"model", HandlePtr(inputs.model)}, {"domain", HandlePtr(inputs.domain)}};
  MethodResult first = job.run("toy.gradual", given, Value::Map{});
  given.set("model", first.outputs.at("model"));
  MethodResult second = job.run("toy.admm", given, Value::Map{});
  report.curve.push_back(second.report.at("curve").asList().at(0).asDouble());
  return {std::dynamic_pointer_cast<Model>(second.outputs.at("model").asHandle())};
}

// --- sub-runs inside a training

struct NestedState {
  std::shared_ptr<Domain> domain;  // given, the same on resume
  std::shared_ptr<Model> model;
  Optimizer optimizer;
  std::vector<double> curve;
  template <class V>
  void fields(V&& visit) {
    visit("model", model);
    visit("optimizer", optimizer);
    visit("curve", curve, kCollected);
  }
};

void nestedStep(NestedState& state, const Batches& batches, StepContext& context) {
  onToyStep();
  const at::Tensor loss =
      crossEntropy(context.forward(*state.model, batches[0].inputs), batches[0].labels, 0).mean();
  context.backward(loss, state.optimizer.parameters());
  context.optimise(state.optimizer, 0.01);
}

// What an attack on the model of this moment would reach.
void attack(NestedState& state, Job& job) {
  const Value inputs =
      Value::Map{{"model", HandlePtr(state.model->clone())}, {"domain", HandlePtr(state.domain)}};
  state.curve.push_back(
      job.run("toy.admm", inputs, Value::Map{}).report.at("curve").asList().at(0).asDouble());
}

ModelOutput runNested(const ModelOnDomain& inputs, const NoOptions&, CurveReport& report, Job& job) {
  NestedState state;
  state.domain = inputs.domain;
  state.model = inputs.model->clone();
  state.optimizer = Optimizer(adam(), trainable(*state.model));
  Phase<NestedState> phase;
  phase.name = "nested";
  phase.streams = {stream(inputs)};
  phase.epochs = 2;
  phase.begin = [](NestedState& now, Job& of) { attack(now, of); };
  phase.step = nestedStep;
  phase.endEpoch = [](NestedState& now, int64_t, Job& of) { attack(now, of); };
  train(job, state, {phase});
  state.curve.push_back(job.memo("constant", [] { return Value(0.25); }).asDouble());
  report.curve = state.curve;
  return {state.model};
}

}  // namespace

Method toyGradual() { return method("toy.gradual", runGradual); }
Method toyAdmm() { return method("toy.admm", runAdmm); }
Method toyAdversarial() { return method("toy.adversarial", runAdversarial); }
Method toyNested() { return method("toy.nested", runNested); }
Method toyParent() { return method("toy.parent", runParent); }

}  // namespace espalier::test
