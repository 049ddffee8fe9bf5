#include "core/zoo/architectures.h"

#include <array>

#include "core/error.h"

namespace espalier {
namespace {

using torch::jit::Module;
using Widths = std::vector<int64_t>;

// Gives the net its forward: the normalisation, where asked for, then `body`, which takes and returns `x`.
void defineForward(const Author& author, Module& net, const CreateOptions& options, const std::string& body) {
  std::string source = "def forward(self, x: Tensor) -> Tensor:\n";
  if (options.normalize) {
    net.register_module("normalize", author.normalize(options.normalize->mean, options.normalize->std));
    source += "  x = self.normalize.forward(x)\n";
  }
  net.define(source + body + "  return x\n");
}

// ReLU and max-pooling in the place of the original's sigmoids and subsampling, as is usual today.
Module lenet5(const Author& author, const CreateOptions& options, const Widths&) {
  const int64_t side = ((options.inputSize - 4) / 2 - 4) / 2;
  const Author::Convolution plain{.kernel = 5, .padding = 0, .bias = true};
  Module net = author.module("LeNet5");
  net.register_module("conv1", author.conv2d(options.inChannels, 6, plain));
  net.register_module("conv2", author.conv2d(6, 16, plain));
  net.register_module("fc1", author.linear(16 * side * side, 120));
  net.register_module("fc2", author.linear(120, 84));
  net.register_module("fc3", author.linear(84, options.classes));
  defineForward(author, net, options, R"(
  x = torch.max_pool2d(torch.relu(self.conv1.forward(x)), [2, 2], [2, 2], [0, 0], [1, 1], False)
  x = torch.max_pool2d(torch.relu(self.conv2.forward(x)), [2, 2], [2, 2], [0, 0], [1, 1], False)
  x = torch.relu(self.fc1.forward(torch.flatten(x, 1)))
  x = torch.relu(self.fc2.forward(x))
  x = self.fc3.forward(x)
)");
  return net;
}

Module convBlock(const Author& author, int64_t in, int64_t out) {
  Module block = author.module("ConvBlock");
  block.register_module("conv", author.conv2d(in, out, {}));
  block.register_module("bn", author.batchNorm2d(out));
  block.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "  return torch.relu(self.bn.forward(self.conv.forward(x)))\n");
  return block;
}

Module convnet(const Author& author, const CreateOptions& options, const Widths& widths) {
  Module blocks = author.module("Blocks");
  std::string body = "def forward(self, x: Tensor) -> Tensor:\n";
  int64_t in = options.inChannels;
  for (size_t i = 0; i < widths.size(); ++i) {
    blocks.register_module(std::to_string(i), convBlock(author, in, widths[i]));
    if (i > 0) body += "  x = torch.max_pool2d(x, [2, 2], [2, 2], [0, 0], [1, 1], False)\n";
    body += text("  x = getattr(self, \"", i, "\").forward(x)\n");
    in = widths[i];
  }
  blocks.define(body + "  return x\n");

  Module net = author.module("ConvNet");
  net.register_module("blocks", blocks);
  net.register_module("fc", author.linear(in, options.classes));
  defineForward(author, net, options, R"(
  x = torch.adaptive_avg_pool2d(self.blocks.forward(x), [1, 1])
  x = self.fc.forward(torch.flatten(x, 1))
)");
  return net;
}

// Configuration A with batch norm, and one linear layer behind an average pool, as is usual at 32 x 32.
Module vgg11(const Author& author, const CreateOptions& options, const Widths& widths) {
  constexpr std::array<bool, 8> kPoolAfter = {true, true, false, true, false, true, false, true};
  std::vector<Module> layers;
  int64_t in = options.inChannels;
  for (size_t i = 0; i < widths.size(); ++i) {
    layers.push_back(author.conv2d(in, widths[i], {}));
    layers.push_back(author.batchNorm2d(widths[i]));
    layers.push_back(author.relu());
    if (kPoolAfter[i]) layers.push_back(author.maxPool2d(2, 2, 0));
    in = widths[i];
  }
  Module net = author.module("VGG11");
  net.register_module("features", author.sequential(layers));
  net.register_module("classifier", author.linear(in, options.classes));
  defineForward(author, net, options, R"(
  x = torch.adaptive_avg_pool2d(self.features.forward(x), [1, 1])
  x = self.classifier.forward(torch.flatten(x, 1))
)");
  return net;
}

enum class Shortcut { kPad, kProject };  // options A and B of He et al. 2016

Module basicBlock(const Author& author, int64_t in, int64_t out, int64_t stride, Shortcut shortcut) {
  Module block = author.module("BasicBlock");
  block.register_module("conv1", author.conv2d(in, out, {.stride = stride}));
  block.register_module("bn1", author.batchNorm2d(out));
  block.register_module("conv2", author.conv2d(out, out, {}));
  block.register_module("bn2", author.batchNorm2d(out));
  std::string identity = "x";
  if (stride != 1 || in != out) {
    if (shortcut == Shortcut::kPad) {
      identity = text("torch.constant_pad_nd(x[:, :, ::", stride, ", ::", stride, "], [0, 0, 0, 0, 0, ",
                      out - in, "])");
    } else {
      block.register_module(
          "downsample",
          author.sequential({author.conv2d(in, out, {.kernel = 1, .stride = stride, .padding = 0}),
                             author.batchNorm2d(out)}));
      identity = "self.downsample.forward(x)";
    }
  }
  block.define(
      text("def forward(self, x: Tensor) -> Tensor:\n"
           "  y = torch.relu(self.bn1.forward(self.conv1.forward(x)))\n"
           "  y = self.bn2.forward(self.conv2.forward(y))\n"
           "  return torch.relu(y + ",
           identity, ")\n"));
  return block;
}

// The stem, then `layer1`, `layer2`, ... of `depth` blocks, average pool, `fc`.
void defineResidual(const Author& author, Module& net, const CreateOptions& options, const std::string& stem,
                    const Widths& widths, int64_t depth, Shortcut shortcut) {
  std::string body = "  x = " + stem + "\n";
  int64_t in = widths[0];
  for (size_t i = 0; i < widths.size(); ++i) {
    std::vector<Module> blocks;
    for (int64_t j = 0; j < depth; ++j) {
      blocks.push_back(basicBlock(author, in, widths[i], i > 0 && j == 0 ? 2 : 1, shortcut));
      in = widths[i];
    }
    net.register_module(text("layer", i + 1), author.sequential(blocks));
    body += text("  x = self.layer", i + 1, ".forward(x)\n");
  }
  net.register_module("fc", author.linear(in, options.classes));
  body +=
      "  x = torch.adaptive_avg_pool2d(x, [1, 1])\n"
      "  x = self.fc.forward(torch.flatten(x, 1))\n";
  defineForward(author, net, options, body);
}

// He et al. 2016, section 4.2: shortcuts without parameters (option A).
Module resnet20(const Author& author, const CreateOptions& options, const Widths&) {
  Module net = author.module("ResNet20");
  net.register_module("conv1", author.conv2d(options.inChannels, 16, {}));
  net.register_module("bn1", author.batchNorm2d(16));
  defineResidual(author, net, options, "torch.relu(self.bn1.forward(self.conv1.forward(x)))", {16, 32, 64}, 3,
                 Shortcut::kPad);
  return net;
}

// The largest input that gets the 3 x 3 stem without pooling.
constexpr int64_t kSmallImage = 64;

Module resnet18(const Author& author, const CreateOptions& options, const Widths&) {
  const bool small = options.inputSize <= kSmallImage;
  Module net = author.module("ResNet18");
  net.register_module("conv1",
                      author.conv2d(options.inChannels, 64,
                                    small ? Author::Convolution{}
                                          : Author::Convolution{.kernel = 7, .stride = 2, .padding = 3}));
  net.register_module("bn1", author.batchNorm2d(64));
  const std::string stem = "torch.relu(self.bn1.forward(self.conv1.forward(x)))";
  defineResidual(author, net, options,
                 small ? stem : "torch.max_pool2d(" + stem + ", [3, 3], [2, 2], [1, 1], [1, 1], False)",
                 {64, 128, 256, 512}, 2, Shortcut::kProject);
  return net;
}

template <int64_t kSide>
int64_t atLeast(const Widths&) {
  return kSide;
}

}  // namespace

const ArchitectureSpec& architectureSpec(Architecture architecture) {
  static const std::array<ArchitectureSpec, 5> kSpecs = {{
      {Architecture::kLenet5, {}, 0, atLeast<16>, lenet5},
      {Architecture::kConvnet,
       {32, 64, 128},
       0,
       [](const Widths& widths) { return int64_t{1} << (widths.size() - 1); },
       convnet},
      {Architecture::kVgg11, {64, 128, 256, 256, 512, 512, 512, 512}, 8, atLeast<32>, vgg11},
      {Architecture::kResnet20, {}, 0, atLeast<4>, resnet20},
      {Architecture::kResnet18, {}, 0, atLeast<8>, resnet18},
  }};
  for (const ArchitectureSpec& spec : kSpecs) {
    if (spec.architecture == architecture) return spec;
  }
  fail(ErrorCode::kInternal, "architecture ", static_cast<int>(architecture), " has no specification");
}

}  // namespace espalier
