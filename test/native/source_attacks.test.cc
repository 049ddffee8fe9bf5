#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/attack/corruption.h"
#include "core/attack/elastic.h"
#include "core/error.h"
#include "core/inputs.h"
#include "core/run.h"
#include "core/train/sharpness.h"
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
              Value options, const Data& data = {},
              const std::function<void(const Progress&)>& onProgress = {}) {
  RunRequest request;
  request.method = name;
  request.inputs = Value::Map{{"model", HandlePtr(model)}, {"domain", HandlePtr(data.domain("seen"))}};
  if (name != "toy.fisher") request.inputs.set("source", HandlePtr(data.domain("owned")));
  request.options = std::move(options);
  request.run.threads = 1;
  RunControl control(onProgress);
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

TEST("elastic fine-tuning: progress counts the Fisher information by the samples that pass") {
  std::vector<std::pair<std::string, double>> ends;
  const auto note = [&](const Progress& progress) {
    if (progress.step == progress.steps) ends.emplace_back(progress.phase, progress.fraction);
  };
  run(methodRegistry(), "attack.elasticFineTune", makeSoftmax(), descent(2, 0.1, Value::Map{}), {}, note);
  EXPECT(ends.size() >= 2);
  EXPECT(ends[0].first == "fisher" && ends[1].first == "fine-tune");
  // All samples once, then twice.
  EXPECT_NEAR(ends[0].second, 1.0 / 3, 1e-12);
  EXPECT_NEAR(ends[1].second, 1, 1e-12);
}

// --- sharpness-aware minimisation

namespace {

std::vector<at::Tensor> withGradients(const std::vector<at::Tensor>& weights,
                                      const std::vector<at::Tensor>& gradients) {
  std::vector<at::Tensor> out;
  for (size_t i = 0; i < weights.size(); ++i) {
    out.push_back(weights[i].clone().requires_grad_());
    if (gradients[i].defined()) out.back().mutable_grad() = gradients[i].clone();
  }
  return out;
}

at::Tensor numbers(const std::vector<double>& values) { return torch::tensor(values, at::kDouble); }

}  // namespace

TEST("sharpness: the climb is rho g / ||g|| over all weights, or in units of each weight") {
  // ||g|| = 5 without the held weight; || |w| g || = sqrt(6^2 + 0 + 8^2) = 10.
  const std::vector<at::Tensor> weights = {numbers({2, 7}), numbers({0, -2, 1})};
  const std::vector<at::Tensor> gradients = {numbers({3, 11}), numbers({0, -4, 0})};
  const std::vector<at::Tensor> masks = {torch::tensor({true, false}), at::Tensor()};
  const std::vector<at::Tensor> plain = withGradients(weights, gradients);
  const std::vector<at::Tensor> before = climb(plain, masks, {.rho = 0.5});
  EXPECT(at::allclose(plain[0], numbers({2 + 0.5 * 3 / 5, 7}), 0, 1e-12));
  EXPECT(at::allclose(plain[1], numbers({0, -2 - 0.5 * 4 / 5, 1}), 0, 1e-12));
  for (const at::Tensor& weight : plain) EXPECT(!weight.grad().defined());
  putBack(plain, before);
  for (size_t i = 0; i < plain.size(); ++i) EXPECT(plain[i].detach().equal(weights[i]));

  const std::vector<at::Tensor> adaptive = withGradients(weights, gradients);
  climb(adaptive, masks, {.rho = 0.5, .adaptive = true});
  EXPECT(at::allclose(adaptive[0], numbers({2 + 0.5 * 4 * 3 / 10, 7}), 0, 1e-12));
  EXPECT(at::allclose(adaptive[1], numbers({0, -2 - 0.5 * 4 * 4 / 10, 1}), 0, 1e-12));
}

TEST("sharpness: nothing moves without a gradient") {
  const std::vector<at::Tensor> weights = {numbers({1, 2}), numbers({3})};
  for (const bool adaptive : {false, true}) {
    for (const at::Tensor& gradient : {at::Tensor(), numbers({0})}) {
      const std::vector<at::Tensor> moved = withGradients(weights, {at::Tensor(), gradient});
      climb(moved, {}, {.rho = 0.5, .adaptive = adaptive});
      for (size_t i = 0; i < moved.size(); ++i) EXPECT(moved[i].detach().equal(weights[i]));
    }
  }
}

TEST("corrupted views: a step takes its gradient at the top of the climb, by hand") {
  const Data data;
  const auto model = makeSoftmax();
  const Softmax start = weightsOf(*model);
  const Softmax slope = data.gradient(start);
  const auto norm = [](const Softmax& of) {
    return std::sqrt(of.weight.square().sum().item<double>() + of.bias.square().sum().item<double>());
  };
  const auto after = [&](double rho, bool adaptive) {
    const Value options =
        Value::Map{{"fraction", 1.0}, {"weight", 0.0}, {"rho", rho}, {"adaptive", adaptive}};
    return attacked(run(methodRegistry(), "attack.corruptedViews", model, descent(1, 0.5, options)));
  };
  const Softmax top = plus(start, 0.7 / norm(slope), slope);
  EXPECT(furthest(after(0.7, false), plus(start, -0.5, data.gradient(top))) < 1e-6);
  EXPECT(furthest(after(0, false), plus(start, -0.5, slope)) < 1e-6);
  EXPECT(furthest(data.gradient(top), slope) > 1e-2);

  const Softmax scaled = {start.weight.abs() * slope.weight, start.bias.abs() * slope.bias};
  const Softmax way = {start.weight.abs() * scaled.weight, start.bias.abs() * scaled.bias};
  const Softmax adaptiveTop = plus(start, 0.7 / norm(scaled), way);
  EXPECT(furthest(after(0.7, true), plus(start, -0.5, data.gradient(adaptiveTop))) < 1e-6);
}

// --- corrupted views

TEST("corrupted views: noise is added, and scales, by one draw, and all stays in [0, 1]") {
  auto generator = at::detail::createCPUGenerator(9);
  const at::Tensor images = torch::rand({6, 2, 7, 5}, at::detail::createCPUGenerator(4));
  const std::vector<at::Tensor> views = corruptedViews(images, 0.2, generator);
  EXPECT_EQ(views.size(), size_t{kCorruptions});
  for (const at::Tensor& view : views) {
    EXPECT(view.sizes() == images.sizes());
    EXPECT(view.ge(0).logical_and(view.le(1)).all().item<bool>());
    EXPECT(!view.allclose(images, 0, 0.01));
  }
  const auto inside = [](const at::Tensor& view) { return view.gt(0).logical_and(view.lt(1)); };
  const at::Tensor both = inside(views[0]).logical_and(inside(views[1]));
  EXPECT(both.sum().item<int64_t>() > 200);
  const at::Tensor error = (views[0] - images).masked_select(both);
  EXPECT(error.allclose((views[1] / images - 1).masked_select(both), 0, 1e-4));
  // Both ends are met: what lies beyond them was cut off.
  EXPECT(views[0].eq(0).any().item<bool>() && views[0].eq(1).any().item<bool>());
  const std::vector<at::Tensor> next = corruptedViews(images, 0.2, generator);
  EXPECT(!next[0].equal(views[0]) && next[2].equal(views[2]));
  const std::vector<at::Tensor> again = corruptedViews(images, 0.2, at::detail::createCPUGenerator(9));
  EXPECT(again[0].equal(views[0]) && again[1].equal(views[1]));
}

TEST("corrupted views: the noise has the deviation that was asked for") {
  const at::Tensor grey = torch::full({40, 1, 32, 32}, 0.5);
  const auto views = corruptedViews(grey, 0.05, at::detail::createCPUGenerator(2));
  EXPECT_NEAR((views[0] - grey).std().item<double>(), 0.05, 5e-4);
  EXPECT_NEAR((views[1] / grey - 1).std().item<double>(), 0.05, 5e-4);
  EXPECT_NEAR((views[0] - grey).mean().item<double>(), 0, 1e-3);
}

TEST("corrupted views: the blur is the Gaussian by hand, mirrored at the border") {
  at::Tensor image = torch::zeros({1, 2, 7, 7});
  image.index_put_({0, 1, 3, 2}, 1.0);
  const at::Tensor view = corruptedViews(image, 0, at::detail::createCPUGenerator(1))[2];
  double line[5];
  double sum = 0;
  for (int i = 0; i < 5; ++i) sum += line[i] = std::exp(-(i - 2) * (i - 2) / (2 * 1.1 * 1.1));
  for (int64_t y = 0; y < 7; ++y) {
    for (int64_t x = 0; x < 7; ++x) {
      const int64_t dy = y - 3;
      // What lies two pixels left of column 0 is column 2 again; of column 1, three.
      double across = std::abs(x - 2) <= 2 ? line[x] : 0;
      if (x == 0) across += line[0];
      const double down = std::abs(dy) <= 2 ? line[dy + 2] : 0;
      EXPECT_NEAR(view.index({0, 1, y, x}).item<double>(), across * down / (sum * sum), 1e-6);
      EXPECT_EQ(view.index({0, 0, y, x}).item<double>(), 0.0);
    }
  }
  const at::Tensor flat = torch::full({2, 3, 3, 4}, 0.25);
  EXPECT(corruptedViews(flat, 0, at::detail::createCPUGenerator(1))[2].allclose(flat));
}

TEST("corrupted views: shares move to the view that does worst") {
  at::Tensor shares = torch::full({3}, 1.0 / 3, at::kDouble);
  const std::vector<at::Tensor> losses = {numbers({1})[0], numbers({2})[0],
                                          numbers({50})[0].requires_grad_()};
  const at::Tensor mean = robustMean(losses, shares);
  const double sum = std::exp(0.01) + std::exp(0.02) + std::exp(0.5);
  EXPECT_NEAR(shares[2].item<double>(), std::exp(0.5) / sum, 1e-12);
  EXPECT_NEAR(mean.item<double>(), (std::exp(0.01) + 2 * std::exp(0.02) + 50 * std::exp(0.5)) / sum, 1e-10);
  mean.backward();
  // The shares are held fixed.
  EXPECT_NEAR(losses[2].grad().item<double>(), std::exp(0.5) / sum, 1e-12);
  robustMean(losses, shares);
  EXPECT_NEAR(shares[0].item<double>(), std::exp(0.02) / (std::exp(0.02) + std::exp(0.04) + std::exp(1.0)),
              1e-12);
}

TEST("corrupted views: a step descends the divergence from clean to corrupted answers, by hand") {
  const Data data;
  const auto model = makeSoftmax();
  const Softmax start = weightsOf(*model);
  const at::Tensor blurred = corruptedViews(data.images, 0, at::detail::createCPUGenerator(1))[2];
  const at::Tensor x = blurred.flatten(1).to(at::kDouble);
  const auto answers = [&](const at::Tensor& inputs) {
    return torch::softmax(torch::linear(inputs, start.weight, start.bias), 1);
  };
  const at::Tensor clean = answers(data.x());
  const at::Tensor seen = answers(x);
  // Without noise the other two views are the images: their divergence is 0.
  const double divergence = (clean * (clean / seen).log()).mean().item<double>();
  const double share = std::exp(0.01 * divergence) / (2 + std::exp(0.01 * divergence));
  const double weight = 30;
  const at::Tensor error = weight * share * (seen - clean) / kClasses;
  const Softmax slope = plus(data.gradient(start), 1, {error.t().mm(x) / kSamples, error.mean(0)});
  const RunResult result =
      run(methodRegistry(), "attack.corruptedViews", model,
          descent(1, 0.5, Value::Map{{"fraction", 1.0}, {"weight", weight}, {"noise", 0.0}, {"rho", 0.0}}));
  EXPECT(furthest(attacked(result), plus(start, -0.5, slope)) < 1e-5);
  EXPECT(furthest(slope, data.gradient(start)) > 1e-2);
}

TEST("corrupted views: what has no pixels to corrupt is refused") {
  Data data;
  for (const auto& shape : std::vector<std::vector<int64_t>>{{kSamples, 16}, {kSamples, 4, 2, 2}}) {
    data.images = data.images.view(shape);
    const auto error = ERROR_OF(
        run(methodRegistry(), "attack.corruptedViews", makeSoftmax(), Value::Map{{"fraction", 1.0}}, data));
    EXPECT(error.code() == ErrorCode::kDataInvalid);
    EXPECT(std::string(error.what()).find("3 x 3 pixels in domain owned") != std::string::npos);
  }
}
