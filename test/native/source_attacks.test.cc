#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/attack/elastic.h"
#include "core/error.h"
#include "core/inputs.h"
#include "core/run.h"
#include "methods/registry.h"

// The attacks that train on authorised data, against a linear softmax classifier: gradients by hand.

using namespace espalier;

namespace {

constexpr int64_t kPixels = 16;
constexpr int64_t kClasses = 3;
constexpr int64_t kSamples = 24;

struct Softmax {
  at::Tensor weight;
  at::Tensor bias;
};

std::shared_ptr<Model> makeSoftmax() {
  torch::jit::Module module("Softmax");
  auto generator = at::detail::createCPUGenerator(3);
  const auto parameter = [&](const char* name, at::IntArrayRef shape) {
    module.register_parameter(name, (torch::randn(shape, generator) * 0.5).requires_grad_(),
                              /*is_buffer=*/false);
  };
  parameter("w", {kClasses, kPixels});
  parameter("b", {kClasses});
  module.register_attribute("training", c10::BoolType::get(), true);
  module.define(R"(
    def forward(self, x):
      return torch.linear(torch.flatten(x, 1), self.w, self.b)
  )");
  return Model::fromModule(module);
}

struct Data {
  at::Tensor images = torch::rand({kSamples, 1, 4, 4}, at::detail::createCPUGenerator(5));
  at::Tensor labels = torch::arange(kSamples, at::kLong) % kClasses;

  std::shared_ptr<Domain> domain(const char* name) const {
    const DatasetPtr all = Dataset::fromTensors(images, labels, kClasses);
    return std::make_shared<Domain>(name, all, all, all);
  }
  at::Tensor x() const { return images.flatten(1).to(at::kDouble); }
  // Of a sample by the logits: what softmax says, less 1 for the label.
  at::Tensor errors(const Softmax& at) const {
    return torch::softmax(torch::linear(x(), at.weight, at.bias), 1) -
           torch::one_hot(labels, kClasses).to(at::kDouble);
  }
  Softmax gradient(const Softmax& at) const {
    const at::Tensor error = errors(at);
    return {error.t().mm(x()) / kSamples, error.mean(0)};
  }
  Softmax fisher(const Softmax& at) const {
    const at::Tensor squared = errors(at).square();
    return {squared.t().mm(x().square()) / kSamples, squared.mean(0)};
  }
};

Softmax weightsOf(const Model& model) {
  Softmax out;
  for (const ParameterInfo& parameter : model.parameters()) {
    (parameter.path == "w" ? out.weight : out.bias) = parameter.tensor.detach().to(at::kDouble);
  }
  return out;
}

double furthest(const Softmax& a, const Softmax& b) {
  return std::max((a.weight - b.weight).abs().max().item<double>(),
                  (a.bias - b.bias).abs().max().item<double>());
}

double sum(const Softmax& value) {
  return value.weight.sum().item<double>() + value.bias.sum().item<double>();
}

// a + factor * b
Softmax plus(const Softmax& a, double factor, const Softmax& b) {
  return {a.weight + factor * b.weight, a.bias + factor * b.bias};
}

// --- the Fisher information, as a method that leaves it here

Fisher found;

struct Nothing {
  template <class V>
  void fields(V&&) {}
};

Nothing measure(const ModelOnDomain& inputs, const Nothing&, Nothing&, Job& job) {
  found = empiricalFisher(inputs.model, inputs.domain->fit("toy.fisher"), 1, job);
  return {};
}

RunResult run(const MethodTable& methods, const std::string& name, const std::shared_ptr<Model>& model,
              Value options) {
  const Data data;
  RunRequest request;
  request.method = name;
  request.inputs = Value::Map{{"model", HandlePtr(model)}, {"domain", HandlePtr(data.domain("seen"))}};
  if (name != "toy.fisher") request.inputs.set("source", HandlePtr(data.domain("owned")));
  request.options = std::move(options);
  request.run.threads = 1;
  RunControl control;
  return execute(methods, request, control);
}

// Descent by the gradients themselves, each of all samples.
Value descent(int64_t steps, double rate, Value options) {
  for (const auto& [name, value] :
       Value::Map{{"steps", steps}, {"batchSize", kSamples}, {"optimizer", "sgd"}, {"momentum", 0.0}}) {
    options.set(name, value);
  }
  options.set("learningRates", Value::List{Value(rate)});
  return options;
}

Softmax attacked(const RunResult& result) {
  return weightsOf(*std::dynamic_pointer_cast<Model>(result.outputs.at("model").asHandle()));
}

double figure(const RunResult& result, const char* name) {
  return result.report.at("figures").at(name).asDouble();
}

}  // namespace

TEST("elastic fine-tuning: the Fisher information is that of a linear softmax classifier by hand") {
  const auto model = makeSoftmax();
  const Softmax before = weightsOf(*model);
  run({method("toy.fisher", measure)}, "toy.fisher", model, Value::Map{});
  const Softmax expected = Data().fisher(before);
  EXPECT_EQ(found.diagonal.size(), size_t{2});
  const Softmax actual = {found.diagonal[0].to(at::kDouble), found.diagonal[1].to(at::kDouble)};
  EXPECT(furthest(actual, expected) < 1e-7);
  EXPECT(expected.weight.max().item<double>() > 0.01);
  EXPECT_NEAR(found.mean(), sum(expected) / (kClasses * kPixels + kClasses), 1e-8);
  // It leaves neither another weight nor a gradient.
  EXPECT(furthest(weightsOf(*model), before) == 0);
  for (const ParameterInfo& parameter : model->parameters()) EXPECT(!parameter.tensor.grad().defined());
}

TEST("elastic fine-tuning: two steps of gradient descent are those of its loss by hand") {
  const Data data;
  const auto model = makeSoftmax();
  const Softmax start = weightsOf(*model);
  const double lambda = 40;
  const double rate = 0.5;
  const Softmax fisher = data.fisher(start);
  const Softmax first = plus(start, -rate, data.gradient(start));
  const Softmax moved = plus(first, -1, start);
  const Softmax pull = {lambda * fisher.weight * moved.weight, lambda * fisher.bias * moved.bias};
  const Softmax second = plus(first, -rate, plus(data.gradient(first), 1, pull));

  const RunResult result = run(methodRegistry(), "attack.elasticFineTune", model,
                               descent(2, rate, Value::Map{{"lambda", lambda}}));
  EXPECT(furthest(attacked(result), second) < 1e-5);
  EXPECT(furthest(second, plus(first, -rate, data.gradient(first))) > 1e-2);
  const Softmax way = plus(second, -1, start);
  const Softmax weighted = {fisher.weight * way.weight.square(), fisher.bias * way.bias.square()};
  EXPECT_NEAR(figure(result, "penalty"), lambda / 2 * sum(weighted), 1e-5);
  EXPECT_NEAR(figure(result, "meanFisher"), sum(fisher) / (kClasses * kPixels + kClasses), 1e-7);
}

TEST("elastic fine-tuning: a large lambda holds the weights") {
  const auto model = makeSoftmax();
  const auto after = [&](double lambda) {
    Value options = Value::Map{{"lambda", lambda}, {"steps", int64_t{100}}, {"batchSize", int64_t{8}}};
    options.set("learningRates", Value::List{Value(1e-2)});
    return attacked(run(methodRegistry(), "attack.elasticFineTune", model, options));
  };
  const Softmax start = weightsOf(*model);
  EXPECT(furthest(after(0), start) > 0.3);
  // Adam's first step is of the size of its rate, whatever pulls afterwards.
  EXPECT(furthest(after(1e8), start) < 0.02);
}
