#include <torch/torch.h>

#include "check.h"
#include "core/split_model.h"
#include "core/zoo/zoo.h"

using namespace espalier;
using namespace espalier::test;

namespace {

std::shared_ptr<Model> scripted(const char* source) {
  torch::jit::Module module("net");
  module.register_parameter("w", torch::randn({4, 3, 3, 3}), false);
  module.register_parameter("v", torch::randn({5, 4}), false);
  module.define(source);
  return Model::fromModule(module);
}

double gap(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST("split: head after encoder is the whole, for every architecture") {
  for (const auto& [architecture, name] : EnumNames<Architecture>::kNames) {
    CreateOptions options;
    options.architecture = architecture;
    options.seed = 1;
    const auto model = createModel(options);
    const SplitModel split(model, {});
    const at::Tensor images = torch::rand({4, 3, 32, 32});
    const at::Tensor features = split.encode(images, Mode::kEval);
    EXPECT(features.dim() == 4);
    const at::Tensor logits = model->logits(images, Mode::kEval);
    EXPECT(gap(split.head(features, Mode::kEval), logits) == 0);
    const at::Tensor fused = split.trainingFeatures(images, Mode::kEval);
    EXPECT(gap(split.trainingHead(fused, Mode::kEval), logits) <= 1e-5 * logits.abs().max().item<double>());
    EXPECT(!split.encoderParameters().empty());
    EXPECT(!split.headParameters().empty());
    EXPECT(split.encoderParameters().size() + split.headParameters().size() == model->parameters().size());
    // Statistics of norms follow in training as those of the whole forward do.
    const auto twin = model->clone();
    split.encode(images, Mode::kTrain);
    twin->trainingLogits(images, Mode::kTrain);
    for (size_t i = 0; i < model->buffers().size(); ++i) {
      EXPECT(torch::equal(model->buffers()[i].tensor, twin->buffers()[i].tensor));
    }
  }
}

TEST("split: behind a named layer") {
  CreateOptions options;
  options.widths = std::vector<int64_t>{8, 8};
  options.seed = 1;
  const auto model = createModel(options);
  const SplitModel split(model, model->layers().front().path);
  const at::Tensor images = torch::rand({2, 3, 32, 32});
  const at::Tensor features = split.encode(images, Mode::kEval);
  EXPECT(features.size(2) == 32);
  EXPECT(gap(split.head(features, Mode::kEval), model->logits(images, Mode::kEval)) == 0);
  EXPECT(ERROR_OF(SplitModel(model, "nowhere")).code() == ErrorCode::kInvalidArgType);
}

TEST("split: a head that works in place leaves the features as they are") {
  const auto model = scripted(R"(
    def forward(self, x):
      x = torch.conv2d(x, self.w)
      return torch.linear(torch.relu_(x).mean([2, 3]), self.v)
  )");
  const SplitModel split(model, model->layers().front().path);
  const at::Tensor images = torch::randn({2, 3, 6, 6});
  const at::Tensor features = split.encode(images, Mode::kEval);
  const at::Tensor before = features.clone();
  const at::Tensor logits = split.head(features, Mode::kEval);
  EXPECT(torch::equal(features, before));
  EXPECT(gap(logits, model->logits(images, Mode::kEval)) == 0);
}

TEST("split: refuses what it cannot cut") {
  const auto beside = scripted(R"(
    def forward(self, x):
      y = torch.conv2d(x, self.w)
      return torch.linear(y.mean([2, 3]), self.v) + x.mean()
  )");
  EXPECT(ERROR_OF(SplitModel(beside, {})).code() == ErrorCode::kModelUnsupported);
  const auto flat = scripted(R"(
    def forward(self, x):
      return torch.linear(x, self.v)
  )");
  EXPECT(ERROR_OF(SplitModel(flat, {})).code() == ErrorCode::kModelUnsupported);
}
