#include "core/zoo/zoo.h"

#include <cmath>
#include <cstdlib>
#include <sstream>

#include "check.h"
#include "core/zoo/architectures.h"

namespace espalier {
namespace {

struct Variant {
  const char* name;
  CreateOptions options;
};

// Every architecture in its default form and in each form that its options can give it.
std::vector<Variant> variants() {
  const Normalize grey{{0.5}, {0.25}};
  const Normalize colour{{0.4, 0.5, 0.6}, {0.2, 0.3, 0.4}};
  return {
      {"lenet5", {.architecture = Architecture::kLenet5, .seed = 1}},
      {"lenet5-28",
       {.architecture = Architecture::kLenet5,
        .classes = 7,
        .inChannels = 1,
        .inputSize = 28,
        .normalize = grey,
        .seed = 2}},
      {"convnet", {.architecture = Architecture::kConvnet, .seed = 3}},
      {"convnet-wide",
       {.architecture = Architecture::kConvnet, .widths = {{8, 12, 16, 20}}, .normalize = colour, .seed = 4}},
      {"vgg11", {.architecture = Architecture::kVgg11, .seed = 5}},
      {"vgg11-narrow",
       {.architecture = Architecture::kVgg11,
        .widths = {{4, 6, 8, 8, 10, 10, 12, 12}},
        .normalize = colour,
        .seed = 6}},
      {"resnet20", {.architecture = Architecture::kResnet20, .seed = 7}},
      {"resnet18", {.architecture = Architecture::kResnet18, .seed = 8}},
      {"resnet18-imagenet",
       {.architecture = Architecture::kResnet18,
        .classes = 20,
        .inputSize = 96,
        .normalize = colour,
        .seed = 9}}};
}

std::string savedBytes(const torch::jit::Module& module) {
  std::ostringstream out;
  module.save(out);
  return out.str();
}

int64_t countParameters(const torch::jit::Module& module) {
  int64_t count = 0;
  for (const at::Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

TEST("zoo: every variant maps a batch to one row of logits an image, in eval and in train mode") {
  for (const auto& [name, options] : variants()) {
    torch::jit::Module module = authorModule(options);
    EXPECT(module.is_training());
    const at::Tensor images = torch::rand({2, options.inChannels, options.inputSize, options.inputSize});
    for (const bool training : {true, false}) {
      module.train(training);
      const at::Tensor logits = module.forward({images}).toTensor();
      EXPECT_EQ(logits.sizes().vec(), (std::vector<int64_t>{2, options.classes}));
      EXPECT(logits.isfinite().all().item<bool>());
    }
  }
}

TEST("zoo: default architectures have the published numbers of parameters") {
  const auto count = [](Architecture architecture) {
    return countParameters(authorModule({.architecture = architecture}));
  };
  EXPECT_EQ(count(Architecture::kLenet5), 62006);
  EXPECT_EQ(count(Architecture::kResnet20), 269722);
  EXPECT_EQ(count(Architecture::kResnet18), 11173962);
}

TEST("zoo: the same seed gives the same file, another seed other weights") {
  CreateOptions options{.architecture = Architecture::kResnet20, .seed = 11};
  const std::string first = savedBytes(authorModule(options));
  EXPECT(first == savedBytes(authorModule(options)));
  options.seed = 12;
  EXPECT(first != savedBytes(authorModule(options)));
}

TEST("zoo: weights do not change between releases") {
  const torch::jit::Module module = authorModule({.architecture = Architecture::kLenet5, .seed = 1});
  const at::Tensor weight = module.attr("fc3").toModule().attr("weight").toTensor();
  EXPECT_EQ(weight[0][0].item<float>(), -0x1.d3fc5000p-5f);
  EXPECT_EQ(weight[9][83].item<float>(), 0x1.0c8c4e00p-7f);
}

TEST("zoo: layers start from PyTorch's default distribution") {
  const torch::jit::Module module = authorModule({.architecture = Architecture::kVgg11, .seed = 3});
  int64_t countLayers = 0;
  for (const auto& [path, layer] : module.named_modules()) {
    if (!layer.hasattr("weight")) continue;
    const at::Tensor weight = layer.attr("weight").toTensor();
    if (weight.dim() < 2) {
      EXPECT((weight == 1).all().item<bool>());
      EXPECT((layer.attr("bias").toTensor() == 0).all().item<bool>());
      continue;
    }
    ++countLayers;
    EXPECT_EQ(layer.hasattr("bias"), path == "classifier");
    const double bound = 1 / std::sqrt(static_cast<double>(weight[0].numel()));
    const double tolerance = 4 / std::sqrt(static_cast<double>(weight.numel()));
    EXPECT(weight.abs().max().item<double>() <= bound * (1 + 1e-7));
    EXPECT(weight.abs().max().item<double>() > bound * (1 - 4 * tolerance));
    EXPECT_NEAR(weight.mean().item<double>(), 0, bound * tolerance);
    EXPECT_NEAR(weight.square().mean().item<double>() / (bound * bound), 1.0 / 3, tolerance);
  }
  EXPECT_EQ(countLayers, 9);
}

TEST("zoo: the normalisation is part of the graph") {
  CreateOptions options{.architecture = Architecture::kConvnet, .seed = 4};
  torch::jit::Module plain = authorModule(options);
  options.normalize = Normalize{{0.1, 0.2, 0.3}, {0.5, 0.6, 0.7}};
  torch::jit::Module normalizing = authorModule(options);
  plain.eval();
  normalizing.eval();
  const at::Tensor images = torch::rand({3, 3, 32, 32});
  const auto channels = [](const std::vector<double>& values) {
    return at::tensor(values, at::kFloat).view({1, 3, 1, 1});
  };
  const at::Tensor expected =
      plain.forward({(images - channels({0.1, 0.2, 0.3})) / channels({0.5, 0.6, 0.7})}).toTensor();
  EXPECT(at::equal(normalizing.forward({images}).toTensor(), expected));
}

TEST("zoo: options that do not fit are refused by name") {
  const auto refuses = [](CreateOptions options, ErrorCode code, std::string_view part) {
    const Error error = ERROR_OF(authorModule(options));
    EXPECT_EQ(errorCodeName(error.code()), errorCodeName(code));
    if (error.message().find(part) == std::string::npos) throw test::Failure(error.message());
  };
  refuses({.architecture = Architecture::kResnet18, .widths = {{8}}}, ErrorCode::kInvalidArgType,
          "no widths");
  refuses({.architecture = Architecture::kVgg11, .widths = {{8, 8}}}, ErrorCode::kOutOfRange,
          "expected 8 channel counts");
  refuses({.widths = std::vector<int64_t>{}}, ErrorCode::kOutOfRange, "1 to 12 channel counts");
  refuses({.widths = {{8, 0}}}, ErrorCode::kOutOfRange, "widths[1], received 0");
  refuses({.architecture = Architecture::kVgg11, .inputSize = 28}, ErrorCode::kOutOfRange, "inputSize");
  refuses({.architecture = Architecture::kLenet5, .inputSize = 15}, ErrorCode::kOutOfRange, "from 16 to");
  refuses({.inputSize = 3}, ErrorCode::kOutOfRange, "from 4 to");
  refuses({.classes = 0}, ErrorCode::kOutOfRange, "classes, received 0");
  refuses({.inChannels = 0}, ErrorCode::kOutOfRange, "inChannels");
  refuses({.normalize = Normalize{{0.5}, {0.5}}}, ErrorCode::kOutOfRange, "expected 3 numbers");
  refuses({.inChannels = 1, .normalize = Normalize{{0.5}, {0.0}}}, ErrorCode::kOutOfRange,
          "normalize.std[0]");
  refuses({.inChannels = 1, .normalize = Normalize{{NAN}, {1.0}}}, ErrorCode::kOutOfRange,
          "normalize.mean[0]");
}

TEST("zoo: the smallest accepted input runs") {
  for (const Architecture architecture : {Architecture::kLenet5, Architecture::kConvnet, Architecture::kVgg11,
                                          Architecture::kResnet20, Architecture::kResnet18}) {
    const ArchitectureSpec& spec = architectureSpec(architecture);
    const int64_t size = spec.smallestInput(spec.widths);
    torch::jit::Module module = authorModule({.architecture = architecture, .inputSize = size});
    module.eval();
    EXPECT_EQ(module.forward({torch::rand({1, 3, size, size})}).toTensor().size(1), 10);
  }
}

// Writes every variant for the parity test, which compares them with torch.nn in Python.
TEST("zoo: writes its variants where ESPALIER_TEST_OUT says") {
  const char* folder = std::getenv("ESPALIER_TEST_OUT");
  if (folder == nullptr) return;
  for (const auto& [name, options] : variants()) authorModule(options).save(text(folder, "/", name, ".pt"));
}

}  // namespace
}  // namespace espalier
