#include "core/prune/candidates.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/mask.h"
#include "core/prune/layer_figures.h"
#include "core/zoo/zoo.h"

using namespace espalier;

namespace {

std::shared_ptr<Model> convnet() {
  return createModel(
      {.architecture = Architecture::kConvnet, .classes = 4, .inputSize = 8, .widths = {{4, 6}}, .seed = 1});
}

// Two names of one weight, an embedding, and a transposed convolution, whose channels are the second
// dimension.
std::shared_ptr<Model> mixed() {
  torch::jit::Module module("Mixed");
  const auto parameter = [&](const char* name, at::Tensor value) {
    module.register_parameter(name, value.requires_grad_(), /*is_buffer=*/false);
  };
  const at::Tensor shared = torch::arange(1, 10, at::kFloat).reshape({3, 3});
  parameter("table", torch::ones({5, 3}));
  parameter("a", shared);
  parameter("b", shared);
  parameter("up", torch::ones({3, 2, 1, 1}));
  module.register_attribute("training", c10::BoolType::get(), true);
  module.define(R"(
    def forward(self, x):
      h = torch.linear(torch.embedding(self.table, x), self.a)
      h = torch.linear(h, self.b).sum(1).unsqueeze(2).unsqueeze(3)
      return torch.conv_transpose2d(h, self.up).flatten(1)
  )");
  return Model::fromModule(module);
}

std::vector<std::string> pathsOf(const std::vector<Candidate>& candidates) {
  std::vector<std::string> paths;
  for (const Candidate& candidate : candidates) paths.push_back(candidate.path);
  return paths;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST("candidates: conv, linear and transposed-conv weights, a tied one once; no bias, norm or embedding") {
  EXPECT(pathsOf(pruningCandidates(*convnet(), {})) ==
         (Paths{"blocks.0.conv.weight", "blocks.1.conv.weight", "fc.weight"}));
  EXPECT(pathsOf(pruningCandidates(*mixed(), {})) == (Paths{"a", "up"}));
}

TEST("candidates: patterns choose, exclusion has the last word, what fits nothing is an error") {
  const auto model = convnet();
  EXPECT(pathsOf(pruningCandidates(*model, {{"*.bias"}, {"fc.*"}})) ==
         (Paths{"blocks.0.bn.bias", "blocks.1.bn.bias"}));
  EXPECT(pathsOf(pruningCandidates(*model, {{}, {"blocks.*"}})) == Paths{"fc.weight"});
  EXPECT(ERROR_OF(pruningCandidates(*model, {{"nothing.*"}, {}})).code() == ErrorCode::kOutOfRange);
  EXPECT(ERROR_OF(pruningCandidates(*model, {{}, {"*"}})).code() == ErrorCode::kModelUnsupported);
}

TEST("candidates: channels are rows of all but the classifier, unless it is included") {
  const auto model = convnet();
  EXPECT(pathsOf(pruningCandidates(*model, {}, PruningUnit::kChannel)) ==
         (Paths{"blocks.0.conv.weight", "blocks.1.conv.weight"}));
  EXPECT(pathsOf(pruningCandidates(*model, {{"fc.*"}, {}}, PruningUnit::kChannel)) == Paths{"fc.weight"});
  EXPECT(pathsOf(pruningCandidates(*model, {{"*.1.*"}, {}}, PruningUnit::kRowGroup)) ==
         Paths{"blocks.1.conv.weight"});
}

TEST("candidates: rows run over output channels, in a transposed convolution as well") {
  const Candidate up = pruningCandidates(*mixed(), {{"up"}, {}}).front();
  EXPECT_EQ(up.outputDim, 1);
  EXPECT(up.rows(up.weight).sizes() == (std::vector<int64_t>{2, 3}));
}

TEST("layer figures: exact counts, the least magnitude kept, none where nothing is kept") {
  const auto model = mixed();
  const at::Tensor some = torch::tensor({{true, false, true}, {true, true, true}, {true, false, true}});
  prune(*model, Mask({{"a", some}, {"up", torch::zeros({3, 2, 1, 1}, at::kBool)}}));
  const SparsityFigures figures = measureSparsity(pruningCandidates(*model, {}));
  EXPECT_EQ(figures.layers[0].path, "a");
  EXPECT_EQ(figures.layers[0].zeros, 2);
  EXPECT_NEAR(figures.layers[0].sparsity, 2.0 / 9, 1e-15);
  EXPECT_EQ(figures.layers[0].threshold.value(), 1);
  EXPECT(!figures.layers[1].threshold.has_value());
  EXPECT_EQ(figures.totals.weights, 15);
  EXPECT_EQ(figures.totals.zeros, 8);
  EXPECT_NEAR(figures.sparsity, 8.0 / 15, 1e-15);
}

TEST("mask: pruning by a mask says in the manifest what must stay zero") {
  const auto model = mixed();
  at::Tensor kept = torch::ones({5, 3}, at::kBool);
  kept.index_put_({0, 0}, false);
  prune(*model, Mask({{"table", kept}}));
  EXPECT_EQ(model->manifest().at("pruned").asList().at(0).asString(), "table");
  EXPECT_EQ(model->manifest().at("sparsity").asDouble(), 0);  // an embedding is not among the prunable
  EXPECT_EQ(Mask::ofNonZeros(*model)->kept(), 14 + 9 + 6);
}
