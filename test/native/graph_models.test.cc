#include "models.h"

using namespace espalier;
using namespace espalier::test;

namespace {

constexpr uint64_t kSeed = 7;
// Tracing in eval mode loses what only training does: the probability of attention's dropout, and branches.
bool tellsTraining(const Fixture& fixture) {
  const bool lost =
      fixture.variant == "traced-eval" &&
      (fixture.name == "torch-encoder" || fixture.name == "attention" || fixture.name == "mixed");
  return fixture.variant != "frozen" && !lost;
}

std::vector<TapPoint> everyPoint(const Graph& graph) {
  std::vector<TapPoint> points;
  for (size_t i = 0; i < graph.layers().size(); ++i) {
    points.push_back({i, TapPoint::Side::kInput});
    points.push_back({i, TapPoint::Side::kOutput});
  }
  return points;
}

// Eager attention and encoders take another path without gradients, and freezing folds norms: rounding.
double evalTolerance(const Fixture& fixture) {
  const bool fused = fixture.name == "attention" || fixture.name == "torch-encoder";
  return fused || fixture.variant == "frozen" ? 1e-6 : 0;
}

struct Ran {
  std::vector<at::Tensor> outputs;
  std::vector<at::Tensor> gradients;
  std::vector<at::Tensor> buffers;
  Taps taps;
};

// Forward and backward of the sum of squares on a fresh copy of the model.
Ran runOnce(const Model& original, const Reference& reference, Mode mode, bool tapped) {
  const auto model = original.clone();
  Ran ran;
  torch::manual_seed(kSeed);
  const Graph& graph = model->graph(mode);
  const c10::IValue output =
      tapped ? graph.run(reference.inputs, everyPoint(graph), ran.taps) : graph.run(reference.inputs);
  ran.outputs = flat(output);
  const at::Tensor loss = squaredSum(output);
  for (const auto& taps : ran.taps) {
    for (const at::Tensor& tap : taps) {
      if (tap.requires_grad() && !tap.is_leaf()) tap.retain_grad();
    }
  }
  if (loss.requires_grad()) loss.backward();
  for (const ParameterInfo& parameter : model->parameters()) ran.gradients.push_back(parameter.tensor.grad());
  for (const ParameterInfo& buffer : model->buffers()) ran.buffers.push_back(buffer.tensor);
  return ran;
}

double gradientDifference(const std::vector<at::Tensor>& actual, const std::vector<at::Tensor>& expected) {
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (actual[i].defined() != expected[i].defined()) return 1e300;
    // Gradients that are zero but for rounding have no relative difference worth the name.
    if (!expected[i].defined() || expected[i].abs().max().item<double>() < 1e-5) continue;
    largest = std::max(largest, difference(actual[i], expected[i]));
  }
  return largest;
}

void evaluatesAsPyTorch(const Fixture& fixture) {
  const OneThread oneThread;
  const Reference reference(fixture);
  const auto model = fixture.load();
  EXPECT_NEAR(difference(flat(model->forward(reference.inputs)), reference.eval), 0, evalTolerance(fixture));
  EXPECT_NEAR(difference(flat(model->forward(reference.inputs)), reference.eval), 0, evalTolerance(fixture));
}

void trainsAsPyTorch(const Fixture& fixture) {
  const OneThread oneThread;
  const Reference reference(fixture);
  const auto model = fixture.load();
  torch::manual_seed(kSeed);
  const c10::IValue output = model->graph(Mode::kTrain).run(reference.inputs);
  EXPECT_EQ(difference(flat(output), reference.train), 0.0);
  squaredSum(output).backward();
  size_t compared = 0;
  for (const auto& item : reference.gradients) {
    for (const ParameterInfo& parameter : model->parameters()) {
      if (parameter.path != item.key().toStringRef()) continue;
      ++compared;
      EXPECT_NEAR(gradientDifference({parameter.tensor.grad()}, {item.value().toTensor()}), 0, 1e-5);
    }
  }
  EXPECT_EQ(compared, reference.gradients.size());
  for (const ParameterInfo& buffer : model->buffers()) {
    // A trace in eval mode holds no counter of batches.
    if (buffer.path.ends_with("num_batches_tracked") && fixture.variant == "traced-eval") continue;
    if (reference.buffers.contains(buffer.path)) {
      EXPECT_NEAR(difference(buffer.tensor, reference.buffers.at(buffer.path).toTensor()), 0, 1e-6);
    }
  }
}

void tapsChangeNothing(const Fixture& fixture) {
  const OneThread oneThread;
  const Reference reference(fixture);
  const auto model = fixture.load();
  for (const Mode mode : {Mode::kEval, Mode::kTrain}) {
    const Ran plain = runOnce(*model, reference, mode, false);
    for (int repeat = 0; repeat < 3; ++repeat) {
      const Ran tapped = runOnce(*model, reference, mode, true);
      EXPECT_EQ(difference(tapped.outputs, plain.outputs), 0.0);
      EXPECT_EQ(difference(tapped.buffers, plain.buffers), 0.0);
      EXPECT_NEAR(gradientDifference(tapped.gradients, plain.gradients), 0, 1e-6);
    }
  }
}

// The gradient of a bias is the gradient at its layer's output, summed over everything but the channels: an
// independent account of what a tap's gradient must be.
void tapGradientsAddUp(const Fixture& fixture) {
  const OneThread oneThread;
  const Reference reference(fixture);
  const auto model = fixture.load();
  for (const Mode mode : {Mode::kEval, Mode::kTrain}) {
    int checked = 0;
    const auto copy = model->clone();
    const Graph& graph = copy->graph(mode);
    Taps taps;
    torch::manual_seed(kSeed);
    const at::Tensor loss = squaredSum(graph.run(reference.inputs, everyPoint(graph), taps));
    if (!loss.requires_grad()) return;
    for (const auto& values : taps) {
      for (const at::Tensor& tap : values) {
        if (tap.requires_grad() && !tap.is_leaf()) tap.retain_grad();
      }
    }
    loss.backward();
    for (size_t i = 0; i < graph.layers().size(); ++i) {
      const Layer& layer = graph.layers()[i];
      if (!layer.prunable || !layer.bias.defined() || !layer.bias.grad().defined()) continue;
      if (!layer.aliases.empty()) continue;  // calls of one weight with several biases
      const bool isLinear = layer.kind == LayerKind::kLinear;
      at::Tensor sum = at::zeros_like(layer.bias);
      at::Tensor size = at::zeros_like(layer.bias);
      for (const at::Tensor& output : taps[2 * i + 1]) {
        EXPECT(output.grad().defined());
        const at::Tensor byChannel = output.grad().transpose(isLinear ? -1 : 1, 0).flatten(1);
        sum += byChannel.sum(1);
        size += byChannel.abs().sum(1);
      }
      EXPECT((sum - layer.bias.grad()).abs().le(size * 1e-5).all().item<bool>());
      ++checked;
    }
    // Their layers have no bias of their own.
    EXPECT(checked > 0 || fixture.name == "setstate" || fixture.name == "tied");
  }
}

void savesWhatItWas(const Fixture& fixture) {
  const OneThread oneThread;
  const Reference reference(fixture);
  const auto model = fixture.load();
  const std::string bytes = model->saveBytes(ManifestKind::kFull);
  writeFileAtomically(fixture.path() + ".saved", bytes);  // for models.py --check
  EXPECT(bytes == model->saveBytes(ManifestKind::kFull));
  const auto again = Model::fromBytes(bytes);
  EXPECT_EQ(again->digest(), model->digest());
  const auto output = flat(model->forward(reference.inputs));
  EXPECT_EQ(difference(flat(again->forward(reference.inputs)), output), 0.0);
  EXPECT(fixture.load()->digest() == model->digest());
  // As stock PyTorch runs it after .eval().
  std::istringstream stream(bytes);
  torch::jit::Module stock = torch::jit::load(stream);
  stock.eval();
  const at::NoGradGuard noGrad;
  EXPECT_EQ(difference(flat(stock(reference.inputs)), output), 0.0);
}

void clonesAreIndependent(const Fixture& fixture) {
  const auto model = fixture.load();
  const std::string digest = model->digest();
  const auto copy = model->clone();
  EXPECT_EQ(copy->digest(), digest);
  EXPECT_EQ(copy->parameters().size(), model->parameters().size());
  for (size_t i = 0; i < copy->parameters().size(); ++i) {
    const ParameterInfo& mine = copy->parameters()[i];
    const ParameterInfo& theirs = model->parameters()[i];
    EXPECT_EQ(mine.path, theirs.path);
    EXPECT(mine.aliases == theirs.aliases);
    EXPECT(mine.tensor.is_leaf());
    EXPECT_EQ(mine.tensor.requires_grad(), theirs.tensor.requires_grad());
    EXPECT(!mine.tensor.is_alias_of(theirs.tensor));
    const at::NoGradGuard noGrad;
    mine.tensor.add_(1);
  }
  EXPECT_EQ(model->digest(), digest);
  if (!copy->parameters().empty()) EXPECT(copy->digest() != digest);
}

void frozenEqualsPlain(const Fixture& fixture) {
  const OneThread oneThread;
  const Reference reference(fixture);
  if (reference.inputs.size() != 1 || !reference.inputs[0].isTensor() || reference.eval.size() != 1) return;
  const auto model = fixture.load();
  const auto [logits, faster] = model->frozen();
  const at::Tensor inputs = reference.inputs[0].toTensor();
  if (reference.eval[0].dim() != 2 || reference.eval[0].size(0) != inputs.size(0)) return;
  EXPECT_NEAR(difference(logits(inputs), reference.eval[0]), 0, 1e-5);
  EXPECT(faster);
}

const bool kRegistered = [] {
  if (modelsFolder() == nullptr) return false;
  for (const Fixture& fixture : fixtures()) {
    const auto add = [&](const char* what, void (*body)(const Fixture&)) {
      cases().push_back({text("graph models, ", fixture.label(), ": ", what), [=] { body(fixture); }});
    };
    add("evaluates as PyTorch does", evaluatesAsPyTorch);
    if (tellsTraining(fixture)) add("trains as PyTorch does", trainsAsPyTorch);
    add("taps change nothing", tapsChangeNothing);
    add("gradients at taps add up to those of the biases", tapGradientsAddUp);
    add("a saved model is what it was", savesWhatItWas);
    add("clones are independent", clonesAreIndependent);
    add("a frozen copy gives the same logits", frozenEqualsPlain);
  }
  return true;
}();

}  // namespace
