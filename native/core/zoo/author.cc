#include "core/zoo/author.h"

#include "core/error.h"
#include "core/initialize.h"

namespace espalier {
namespace {

using torch::jit::Module;

at::Tensor parameter(at::IntArrayRef shape) {
  return at::empty(shape, at::TensorOptions(at::kFloat)).set_requires_grad(true);
}

}  // namespace

Module Author::module(const std::string& name) const {
  Module module("__torch__.espalier." + name, unit_, /*shouldMangle=*/true);
  module.register_attribute("training", c10::BoolType::get(), true);
  return module;
}

Module Author::conv2d(int64_t in, int64_t out, const Convolution& shape) const {
  Module conv = module("Conv2d");
  conv.register_parameter("weight", parameter({out, in, shape.kernel, shape.kernel}), false);
  if (shape.bias) conv.register_parameter("bias", parameter({out}), false);
  const auto pair = [](int64_t value) { return text("[", value, ", ", value, "]"); };
  conv.define(text("def forward(self, x: Tensor) -> Tensor:\n  return torch.conv2d(x, self.weight, ",
                   shape.bias ? "self.bias" : "None", ", ", pair(shape.stride), ", ", pair(shape.padding),
                   ", [1, 1], 1)\n"));
  return conv;
}

Module Author::batchNorm2d(int64_t channels) const {
  Module norm = module("BatchNorm2d");
  norm.register_parameter("weight", at::ones({channels}).set_requires_grad(true), false);
  norm.register_parameter("bias", at::zeros({channels}).set_requires_grad(true), false);
  norm.register_buffer("running_mean", at::zeros({channels}));
  norm.register_buffer("running_var", at::ones({channels}));
  norm.register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  norm.define(R"(
def forward(self, x: Tensor) -> Tensor:
  if self.training:
    self.num_batches_tracked.add_(1)
  return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, self.training, 0.1, 1e-05, True)
)");
  return norm;
}

Module Author::linear(int64_t in, int64_t out) const {
  Module linear = module("Linear");
  linear.register_parameter("weight", parameter({out, in}), false);
  linear.register_parameter("bias", parameter({out}), false);
  linear.define(
      "def forward(self, x: Tensor) -> Tensor:\n  return torch.linear(x, self.weight, self.bias)\n");
  return linear;
}

Module Author::relu() const {
  Module relu = module("ReLU");
  relu.define("def forward(self, x: Tensor) -> Tensor:\n  return torch.relu(x)\n");
  return relu;
}

Module Author::maxPool2d(int64_t kernel, int64_t stride, int64_t padding) const {
  Module pool = module("MaxPool2d");
  pool.define(text("def forward(self, x: Tensor) -> Tensor:\n  return torch.max_pool2d(x, [", kernel, ", ",
                   kernel, "], [", stride, ", ", stride, "], [", padding, ", ", padding,
                   "], [1, 1], False)\n"));
  return pool;
}

Module Author::normalize(const std::vector<double>& mean, const std::vector<double>& std) const {
  const auto channels = [](const std::vector<double>& values) {
    return at::tensor(values, at::kDouble).to(at::kFloat).view({1, -1, 1, 1});
  };
  Module normalize = module("Normalize");
  normalize.register_buffer("mean", channels(mean));
  normalize.register_buffer("std", channels(std));
  normalize.define("def forward(self, x: Tensor) -> Tensor:\n  return (x - self.mean) / self.std\n");
  return normalize;
}

Module Author::sequential(const std::vector<Module>& children) const {
  Module sequential = module("Sequential");
  std::string forward = "def forward(self, x: Tensor) -> Tensor:\n";
  for (size_t i = 0; i < children.size(); ++i) {
    sequential.register_module(std::to_string(i), children[i]);
    forward += text("  x = getattr(self, \"", i, "\").forward(x)\n");
  }
  sequential.define(forward + "  return x\n");
  return sequential;
}

void Author::initialize(const Module& root, uint64_t seed) {
  for (const auto& [path, layer] : root.named_modules()) {
    if (!layer.hasattr("weight")) continue;
    const at::Tensor weight = layer.attr("weight").toTensor();
    if (weight.dim() < 2) continue;
    initializeLayer(weight, layer.hasattr("bias") ? layer.attr("bias").toTensor() : at::Tensor(), seed, path);
  }
}

}  // namespace espalier
