#include "models.h"

using namespace espalier;
using namespace espalier::test;

namespace {

std::shared_ptr<Model> load(const char* name, const char* variant = "scripted") {
  return Fixture{name, variant}.load();
}

const Layer& layerAt(const Model& model, const std::string& path, LayerKind kind) {
  for (const Layer& layer : model.layers()) {
    if (layer.path == path && layer.kind == kind) return layer;
  }
  fail(ErrorCode::kInternal, "no layer ", path);
}

void sameLayersHoweverExported() {
  for (const char* name : {"convnet", "resnet", "mobilenet", "torch-encoder", "lstm"}) {
    const auto scripted = load(name);
    for (const char* variant : {"traced-eval", "traced-train"}) {
      const auto traced = load(name, variant);
      EXPECT_EQ(traced->layers().size(), scripted->layers().size());
      for (size_t i = 0; i < scripted->layers().size(); ++i) {
        const Layer& a = scripted->layers()[i];
        const Layer& b = traced->layers()[i];
        EXPECT_EQ(a.weightPath, b.weightPath);
        EXPECT(a.kind == b.kind && a.norm == b.norm && a.inChannels == b.inChannels &&
               a.outChannels == b.outChannels && a.groups == b.groups && a.prunable == b.prunable);
      }
      EXPECT(traced->graph(Mode::kEval).unknowns().empty());
    }
  }
}

void depthwise() {
  const auto model = load("mobilenet");
  const Layer& layer = layerAt(*model, "depthwise.0", LayerKind::kConv2d);
  EXPECT_EQ(layer.groups, 16);
  EXPECT_EQ(layer.inChannels, 16);
  EXPECT_EQ(layer.outChannels, 16);
  EXPECT_EQ(layer.norm.value_or("none"), "depthwise.1");
  EXPECT(layer.prunable);
  EXPECT(!layerAt(*model, "depthwise.1", LayerKind::kBatchNorm).prunable);
}

void transposed() {
  const auto model = load("concatenation", "traced-eval");
  const Layer& layer = layerAt(*model, "up", LayerKind::kConvTranspose);
  EXPECT_EQ(layer.outputDim, 1);
  EXPECT_EQ(layer.inChannels, 9);
  EXPECT_EQ(layer.outChannels, 6);
  EXPECT_EQ(layer.norm.value_or("none"), "norm");
}

void tied() {
  const auto model = load("tied");
  const Layer& layer = layerAt(*model, "a", LayerKind::kLinear);
  EXPECT_EQ(layer.calls, 3);
  EXPECT(layer.aliases == (std::vector<std::string>{"b", "shared"}));
  EXPECT(layer.weight.is_same(layerAt(*model, "a", LayerKind::kLinear).weight));
  EXPECT_EQ(model->parameters().size(), 4U);  // embedding, a's weight and both biases
}

void namesWhatItCannotFollow() {
  const auto model = load("unfollowed");
  const auto& unknowns = model->graph(Mode::kEval).unknowns();
  EXPECT_EQ(unknowns.size(), 2U);
  EXPECT_EQ(unknowns[0].op, "aten::linear");
  EXPECT_EQ(unknowns[0].reason, "its weight is computed by aten::div");
  EXPECT(unknowns[0].source.find("models.py:") != std::string::npos);
  EXPECT(unknowns[1].reason.find("index") != std::string::npos);
  EXPECT_EQ(model->layers().size(), 2U);
}

void repeatedCallsAndBranches() {
  const auto model = load("branches");
  const Graph& graph = model->graph(Mode::kEval);
  std::vector<TapPoint> points;
  for (size_t i = 0; i < graph.layers().size(); ++i) points.push_back({i, TapPoint::Side::kOutput});
  Taps taps;
  graph.run({at::ones({2, 6}), 5}, points, taps);
  EXPECT_EQ(taps[1].size(), 5U);
  EXPECT_EQ(taps[2].size() + taps[3].size(), 1U);
  EXPECT_EQ(taps[2].size(), 1U);
  graph.run({-at::ones({2, 6}), 2}, points, taps);
  EXPECT_EQ(taps[1].size(), 2U);
  EXPECT_EQ(taps[3].size(), 1U);
}

// The directional derivative at a tap, from its gradient and from moving the bias that is added there.
void finiteDifferenceAtATap() {
  auto model = load("resnet");
  const Graph& graph = model->graph(Mode::kEval);
  torch::manual_seed(5);
  const at::Tensor images = at::randn({2, 3, 8, 8});
  const size_t norm = 1;
  EXPECT_EQ(graph.layers()[norm].path, "bn1");
  Taps taps;
  const at::Tensor loss =
      graph.run({images}, {{norm, TapPoint::Side::kOutput}}, taps).toTensor().square().sum();
  taps[0][0].retain_grad();
  loss.backward();
  const at::Tensor slope = taps[0][0].grad().sum({0, 2, 3});
  const at::Tensor direction = slope / slope.norm();
  const double predicted = slope.norm().item<double>();
  const at::NoGradGuard noGrad;
  const double step = 1e-2;
  const auto lossAt = [&](double scale) {
    const auto moved = model->clone();
    layerAt(*moved, "bn1", LayerKind::kBatchNorm).bias.add_(direction, scale);
    return moved->graph(Mode::kEval).run({images}).toTensor().to(at::kDouble).square().sum().item<double>();
  };
  const double measured = (lossAt(step) - lossAt(-step)) / (2 * step);
  EXPECT_NEAR(measured, predicted, 0.02 * predicted);
}

void costs() {
  const auto conv = load("convnet");
  const auto cost = conv->graph(Mode::kEval).cost({at::zeros({4, 3, 8, 8})});
  EXPECT_EQ(cost.size(), 4U);
  EXPECT_EQ(cost[0].multiplyAccumulates, 4 * 6 * 8 * 8 * 3 * 9);
  EXPECT_EQ(cost[1].multiplyAccumulates, 0);
  EXPECT(cost[2].outputShape == (std::vector<int64_t>{4, 8, 8, 8}));
  EXPECT_EQ(cost[3].multiplyAccumulates, 4 * 128 * 5);
  int64_t up = 0;
  for (const LayerCost& call : load("concatenation")->graph(Mode::kEval).cost({at::zeros({1, 3, 8, 8})})) {
    if (call.outputShape == std::vector<int64_t>{1, 6, 16, 16} && up == 0) up = call.multiplyAccumulates;
  }
  EXPECT_EQ(up, 9 * 8 * 8 * 6 * 2 * 2);
  // two layers, two directions: (8 + 6) x 24 and (12 + 6) x 24 a step
  const auto lstm = load("lstm")->graph(Mode::kEval).cost({at::zeros({3, 4, 8})});
  EXPECT_EQ(lstm[0].multiplyAccumulates, 3 * 4 * 2 * (14 * 24 + 18 * 24));
  int64_t total = 0;
  for (const LayerCost& call : load("torch-encoder")->graph(Mode::kEval).cost({at::zeros({3, 6, 16})})) {
    total += call.multiplyAccumulates;
  }
  const int64_t layer = 18 * (16 * 48 + 16 * 16 + 2 * 16 * 24) + 2 * 3 * 6 * 6 * 16;
  EXPECT_EQ(total, 2 * layer + 3 * 16 * 5);
}

void randomness() {
  EXPECT(!load("convnet")->graph(Mode::kEval).usesRandomness());
  EXPECT(load("convnet")->graph(Mode::kTrain).usesRandomness());
  EXPECT(load("convnet", "traced-eval")->graph(Mode::kTrain).usesRandomness());
  EXPECT(!load("resnet")->graph(Mode::kTrain).usesRandomness());
}

void errorsTellReasonAndSource() {
  const auto error = ERROR_OF(load("convnet")->forward({at::zeros({1, 4, 8, 8})}));
  EXPECT(error.code() == ErrorCode::kModelRun);
  EXPECT(error.message().find("to have 3 channels, but got 4 channels instead (at ") != std::string::npos);
  EXPECT(error.message().find('\n') == std::string::npos);
}

void frozenModulesAreNotTrained() {
  const auto error = ERROR_OF(load("convnet", "frozen")->requireTrainable("train.supervised"));
  EXPECT(error.code() == ErrorCode::kModelUnsupported);
  EXPECT(error.message().find("train.supervised: ") == 0);
  EXPECT(error.message().find("frozen") != std::string::npos);
  load("convnet")->requireTrainable("train.supervised");
}

void reinitialises() {
  const auto model = load("resnet");
  const auto fresh = model->reinitialize(3);
  EXPECT_EQ(fresh->digest(), model->reinitialize(3)->digest());
  EXPECT(fresh->digest() != model->reinitialize(4)->digest());
  for (const Layer& layer : fresh->layers()) {
    if (layer.kind == LayerKind::kBatchNorm) {
      EXPECT(layer.weight.eq(1).all().item<bool>() && layer.bias.eq(0).all().item<bool>());
      continue;
    }
    const double bound = 1 / std::sqrt(static_cast<double>(layer.weight.numel() / layer.weight.size(0)));
    EXPECT(layer.weight.abs().max().item<double>() <= bound);
    EXPECT_NEAR(layer.weight.std().item<double>(), bound / std::sqrt(3.0), 0.2 * bound);
  }
  for (const ParameterInfo& buffer : fresh->buffers()) {
    const double value = buffer.path.ends_with("running_var") ? 1 : 0;
    EXPECT(buffer.tensor.eq(value).all().item<bool>());
  }
  const auto kept = model->reinitialize(3, {"layer1.*"});
  EXPECT(layerAt(*kept, "layer1.0.conv1", LayerKind::kConv2d)
             .weight.equal(layerAt(*model, "layer1.0.conv1", LayerKind::kConv2d).weight));
  EXPECT(layerAt(*kept, "fc", LayerKind::kLinear)
             .weight.equal(layerAt(*fresh, "fc", LayerKind::kLinear).weight));
  EXPECT(ERROR_OF(model->reinitialize(3, {"nothing.*"})).message().find("'nothing.*'") != std::string::npos);
  EXPECT(ERROR_OF(load("encoder")->reinitialize(3)).message().find("'position'") != std::string::npos);
  load("encoder")->reinitialize(3, {"position"});
  load("tied")->reinitialize(3);
  load("lstm")->reinitialize(3);
}

const bool kRegistered = [] {
  if (modelsFolder() == nullptr) return false;
  const auto add = [](const char* what, void (*body)()) {
    cases().push_back({text("graph models: ", what), body});
  };
  add("layers are the same however a model was exported", sameLayersHoweverExported);
  add("a depthwise convolution has its groups", depthwise);
  add("a transposed convolution has its channels the other way round", transposed);
  add("a tied weight is one layer with several paths", tied);
  add("what cannot be followed is named, the rest is found", namesWhatItCannotFollow);
  add("taps work in branches, loops and repeated calls", repeatedCallsAndBranches);
  add("the gradient at a tap is the measured one", finiteDifferenceAtATap);
  add("costs are counted", costs);
  add("randomness is known", randomness);
  add("errors tell the reason and the model's line", errorsTellReasonAndSource);
  add("a frozen module is refused for training", frozenModulesAreNotTrained);
  add("fresh weights are PyTorch's default", reinitialises);
  return true;
}();

}  // namespace
