#include <filesystem>
#include <limits>
#include <unistd.h>

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/checkpoint/node.h"
#include "core/data/domain.h"
#include "core/model.h"
#include "core/run.h"
#include "methods/registry.h"
#include "toy_methods.h"

using namespace espalier;
using namespace espalier::test;

// Weights, statistics and answers that are no numbers, and layers of no size.

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::shared_ptr<Domain> domainOf(int64_t samples) {
  auto generator = at::detail::createCPUGenerator(5);
  const at::Tensor images = torch::rand({samples, 1, 4, 4}, generator);
  const DatasetPtr all = Dataset::fromTensors(images, torch::arange(samples, at::kLong) % 3, 3);
  return std::make_shared<Domain>("odd", all, all, all);
}

RunRequest request(const std::string& method, const std::shared_ptr<Model>& model, Value options) {
  RunRequest out;
  out.method = method;
  out.inputs = Value::Map{{"model", HandlePtr(model)}};
  if (method != "prune.magnitude") out.inputs.set("domain", HandlePtr(domainOf(24)));
  out.options = std::move(options);
  out.run.threads = 1;
  return out;
}

RunResult perform(const RunRequest& run) {
  RunControl control;
  return execute(methodRegistry(), run, control);
}

Value::Map training(double learningRate) {
  return {{"epochs", 2},
          {"batchSize", 8},
          {"optimizer", Value::Map{{"learningRate", learningRate}, {"momentum", 0.0}, {"nesterov", false}}}};
}

at::Tensor weightOf(const Model& model, const std::string& path) {
  for (const ParameterInfo& info : model.parameters()) {
    if (info.path == path) return info.tensor.detach();
  }
  return {};
}

// Two linear layers with nothing between them.
std::shared_ptr<Model> emptyInside() {
  torch::jit::Module module("__torch__.Empty");
  module.register_attribute("training", c10::BoolType::get(), true);
  for (const auto& [name, out, in] : {std::tuple("first", 0, 16), {"second", 3, 0}}) {
    torch::jit::Module linear(text("__torch__.Linear_", name));
    linear.register_attribute("training", c10::BoolType::get(), true);
    linear.register_parameter("weight", torch::zeros({out, in}).set_requires_grad(true), false);
    linear.register_parameter("bias", torch::zeros({out}).set_requires_grad(true), false);
    linear.define(
        "def forward(self, x: Tensor) -> Tensor:\n  return torch.linear(x, self.weight, self.bias)\n");
    module.register_module(name, linear);
  }
  module.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "  return self.second.forward(self.first.forward(torch.flatten(x, 1)))\n");
  return Model::fromModule(module);
}

}  // namespace

TEST("odd numbers: training from NaN weights is named at step 0, with the layer") {
  const auto model = makePerceptron(16, 8, 3, 3);
  weightOf(*model, model->parameters().front().path).reshape({-1})[3] = kNan;
  const Error error = ERROR_OF(perform(request("train.supervised", model, training(0.1))));
  EXPECT(error.code() == ErrorCode::kDiverged);
  EXPECT_EQ(error.details().at("step").asInt(), 0);
  EXPECT(model->parameters().front().path.starts_with(error.details().at("layer").asString()));
}

TEST("odd numbers: a gradient that is no number behind a loss that is one is named with its layer") {
  torch::jit::Module module("__torch__.Root");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_parameter("weight", torch::zeros({3, 16}).set_requires_grad(true), false);
  // The slope of the root at zero is infinite.
  module.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "  return torch.sqrt(torch.linear(torch.flatten(x, 1), self.weight))\n");
  const Error error =
      ERROR_OF(perform(request("train.supervised", Model::fromModule(module), training(0.1))));
  EXPECT(error.code() == ErrorCode::kDiverged);
  EXPECT_EQ(error.details().at("step").asInt(), 0);
  EXPECT_EQ(error.details().at("layer").asString(), std::string("weight"));
  EXPECT(error.message().find("a gradient is not finite") != std::string::npos);
}

TEST("odd numbers: a model whose answers are no numbers has no accuracy, and layer and samples are named") {
  const auto model = makePerceptron(16, 8, 3, 3);
  weightOf(*model, "w2").fill_(kInfinity);
  const Error error = ERROR_OF(perform(request("evaluate.accuracy", model, Value::Map{})));
  EXPECT(error.code() == ErrorCode::kModelRun);
  EXPECT_EQ(error.details().at("samples").asList().size(), 16U);
  EXPECT_EQ(error.details().at("layer").asString(), std::string("w2"));
}

TEST("odd numbers: what the last step leaves is looked at too, and the state before it kept") {
  const auto folder = std::filesystem::temp_directory_path() / text("espalier-odd-", ::getpid());
  std::filesystem::create_directory(folder);
  RunRequest run = request("train.supervised", makePerceptron(16, 8, 3, 3), training(1e39));
  run.options.set("epochs", 1);
  run.options.set("batchSize", 24);
  run.run.checkpoint = CheckpointOptions{};
  run.run.checkpoint->path = (folder / "a.checkpoint").string();
  const Error error = ERROR_OF(perform(run));
  EXPECT(error.code() == ErrorCode::kDiverged);
  EXPECT_EQ(error.details().at("step").asInt(), 0);
  const Checkpoint kept = readCheckpoint(error.details().at("checkpoint").asString());
  for (const auto& [name, tensor] : kept.root->entries.at(0)->state.tensors) {
    if (tensor.is_floating_point()) EXPECT(tensor.isfinite().all().item<bool>());
  }
  std::filesystem::remove_all(folder);
}

TEST(
    "odd numbers: weights too large to answer with are found between the epochs, and the step that made "
    "them") {
  const Error error =
      ERROR_OF(perform(request("train.supervised", makePerceptron(16, 8, 3, 3), training(1e25))));
  EXPECT(error.code() == ErrorCode::kDiverged);
  EXPECT(error.details().find("layer") != nullptr);
}

TEST("odd numbers: NaN scores prune nothing") {
  const auto model = makePerceptron(16, 8, 3, 3);
  weightOf(*model, model->parameters().front().path).reshape({-1})[3] = kNan;
  const Error error = ERROR_OF(perform(request("prune.magnitude", model, Value::Map{{"sparsity", 0.5}})));
  EXPECT(error.message().find("NaN") != std::string::npos);
}

TEST("odd numbers: a layer of no size is trained around and pruned of nothing") {
  const auto model = emptyInside();
  const RunResult trained = perform(request("train.supervised", model, training(0.1)));
  EXPECT(trained.outputs.at("model").isHandle());
  const RunResult pruned = perform(request("prune.magnitude", model, Value::Map{{"sparsity", 0.5}}));
  EXPECT(pruned.outputs.at("model").isHandle());
}
