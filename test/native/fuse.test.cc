#include "core/graph/fuse.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/ir/irparser.h>
#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/types.h>

#include "check.h"
#include "core/graph/prepare.h"
#include "core/graph/walk.h"
#include "core/model.h"
#include "core/train/autocast.h"
#include "core/zoo/zoo.h"

using namespace espalier;
using namespace espalier::test;

namespace {

struct Rewriting {
  const char* name;
  std::string body;                    // from %x, %w, %b, %m, %v, %k to %out
  std::vector<std::string> operators;  // of the fused graph, in order
  bool isExact = false;
};

std::shared_ptr<torch::jit::Graph> parse(const std::string& body) {
  const std::string text =
      R"IR(graph(%x : Tensor, %w : Tensor, %b : Tensor, %m : Tensor, %v : Tensor, %k : Tensor):
  %yes : bool = prim::Constant[value=1]()
  %no : bool = prim::Constant[value=0]()
  %momentum : float = prim::Constant[value=0.1]()
  %eps : float = prim::Constant[value=1e-05]()
  %0 : int = prim::Constant[value=0]()
  %1 : int = prim::Constant[value=1]()
  %2 : int = prim::Constant[value=2]()
  %3 : int = prim::Constant[value=3]()
  %zeros : int[] = prim::Constant[value=[0, 0]]()
  %ones : int[] = prim::Constant[value=[1, 1]]()
  %twos : int[] = prim::Constant[value=[2, 2]]()
  %threes : int[] = prim::Constant[value=[3, 3]]()
  %sides : int[] = prim::Constant[value=[2, 3]]()
  %none : int[] = prim::Constant[value=annotate(List[int], [])]()
  %nothing : NoneType = prim::Constant()
  %double : int = prim::Constant[value=7]()
  %channels : int[] = prim::Constant[value=[1, -1, 1, 1]]()
)IR" + body +
      "  return (%out)\n";
  auto graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR(text, graph.get());
  return graph;
}

std::vector<std::string> operatorsOf(torch::jit::Graph& graph) {
  std::vector<std::string> names;
  for (const torch::jit::Node* node : ir::allNodes(graph)) {
    if (node->kind() != c10::prim::Constant) names.emplace_back(node->kind().toQualString());
  }
  return names;
}

at::Tensor run(const std::shared_ptr<torch::jit::Graph>& graph) {
  torch::manual_seed(1);
  const at::Tensor x = torch::randn({2, 3, 8, 8});
  torch::jit::Stack stack{x,
                          torch::randn({3}),
                          torch::randn({3}),
                          torch::zeros({3}),
                          torch::ones({3}),
                          torch::randn({3, 3, 3, 3})};
  const torch::jit::Code code(graph, "test");
  torch::jit::InterpreterState(code).run(stack);
  return stack.back().toTensor();
}

const std::vector<Rewriting>& rewritings() {
  static const std::vector<Rewriting> all = {
      {"norm and relu",
       "  %n : Tensor = aten::batch_norm(%x, %w, %b, %m, %v, %yes, %momentum, %eps, %yes)\n"
       "  %out : Tensor = aten::relu(%n)\n",
       {"espalier_graph::batch_norm_relu"}},
      {"norm, relu in place and pooling",
       "  %n : Tensor = aten::batch_norm(%x, %w, %b, %m, %v, %yes, %momentum, %eps, %yes)\n"
       "  %r : Tensor = aten::relu_(%n)\n"
       "  %out : Tensor = aten::max_pool2d(%r, %twos, %none, %zeros, %ones, %no)\n",
       {"espalier_graph::batch_norm_relu"}},
      {"norm in inference",
       "  %n : Tensor = aten::batch_norm(%x, %w, %b, %m, %v, %no, %momentum, %eps, %yes)\n"
       "  %r : Tensor = aten::relu(%n)\n"
       "  %out : Tensor = aten::max_pool2d(%r, %twos, %twos, %zeros, %ones, %no)\n",
       {"espalier_graph::batch_norm_relu"}},
      {"norm in inference and relu",
       "  %n : Tensor = aten::batch_norm(%x, %w, %b, %m, %v, %no, %momentum, %eps, %yes)\n"
       "  %out : Tensor = aten::relu(%n)\n",
       {"espalier_graph::batch_norm_relu"}},
      {"an average over windows that overlap",
       "  %n : Tensor = aten::batch_norm(%x, %w, %b, %m, %v, %yes, %momentum, %eps, %yes)\n"
       "  %r : Tensor = aten::relu(%n)\n"
       "  %out : Tensor = aten::adaptive_avg_pool2d(%r, %threes)\n",
       {"espalier_graph::batch_norm_relu", "espalier_graph::average_pool"}},
      {"a norm that is read twice",
       "  %n : Tensor = aten::batch_norm(%x, %w, %b, %m, %v, %yes, %momentum, %eps, %yes)\n"
       "  %r : Tensor = aten::relu(%n)\n"
       "  %out : Tensor = aten::add(%r, %n, %1)\n",
       {"aten::batch_norm", "aten::relu", "aten::add"},
       true},
      {"a relu that is read twice",
       "  %n : Tensor = aten::batch_norm(%x, %w, %b, %m, %v, %yes, %momentum, %eps, %yes)\n"
       "  %r : Tensor = aten::relu(%n)\n"
       "  %p : Tensor = aten::max_pool2d(%r, %twos, %twos, %zeros, %ones, %no)\n"
       "  %q : Tensor = aten::max_pool2d(%r, %twos, %twos, %zeros, %ones, %no)\n"
       "  %out : Tensor = aten::add(%p, %q, %1)\n",
       {"espalier_graph::batch_norm_relu", "aten::max_pool2d", "aten::max_pool2d", "aten::add"}},
      {"windows that overlap",
       "  %r : Tensor = aten::relu(%x)\n"
       "  %out : Tensor = aten::max_pool2d(%r, %threes, %twos, %zeros, %ones, %no)\n",
       {"aten::relu", "aten::max_pool2d"},
       true},
      {"windows with padding",
       "  %r : Tensor = aten::relu(%x)\n"
       "  %out : Tensor = aten::max_pool2d(%r, %twos, %twos, %ones, %ones, %no)\n",
       {"aten::relu", "aten::max_pool2d"},
       true},
      {"relu and pooling alone",
       "  %r : Tensor = aten::relu(%x)\n"
       "  %out : Tensor = aten::max_pool2d(%r, %twos, %none, %zeros, %ones, %no)\n",
       {"espalier_graph::relu_pool"},
       true},
      {"a relu in place of what the caller gave",
       "  %r : Tensor = aten::relu_(%x)\n"
       "  %p : Tensor = aten::max_pool2d(%r, %twos, %none, %zeros, %ones, %no)\n"
       "  %s : Tensor = aten::max_pool2d(%x, %twos, %none, %zeros, %ones, %no)\n"
       "  %out : Tensor = aten::add(%p, %s, %1)\n",
       {"aten::relu_", "aten::max_pool2d", "aten::max_pool2d", "aten::add"},
       true},
      {"a convolution before it",
       "  %c : Tensor = aten::conv2d(%x, %k, %b, %ones, %ones, %ones, %1)\n"
       "  %r : Tensor = aten::relu_(%c)\n"
       "  %out : Tensor = aten::max_pool2d(%r, %twos, %none, %zeros, %ones, %no)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "espalier_graph::relu_pool"}},
      {"an input that is changed between norm and relu",
       "  %n : Tensor = aten::batch_norm(%x, %w, %b, %m, %v, %yes, %momentum, %eps, %yes)\n"
       "  %c : Tensor = aten::add_(%x, %3, %1)\n"
       "  %r : Tensor = aten::relu(%n)\n"
       "  %out : Tensor = aten::add(%r, %c, %1)\n",
       {"espalier_graph::batch_norm_relu", "aten::add_", "aten::add"}},
  };
  return all;
}

const std::string kConvolution =
    "  %c : Tensor = aten::conv2d(%x, %k, %b, %ones, %ones, %ones, %1)\n"
    "  %n : Tensor = aten::batch_norm(%c, %w, %b, %m, %v, %yes, %momentum, %eps, %yes)\n";

// What ends residual blocks, and what only looks like it.
const std::vector<Rewriting>& residuals() {
  static const std::string kInference =
      "  %c : Tensor = aten::conv2d(%x, %k, %b, %ones, %ones, %ones, %1)\n"
      "  %n : Tensor = aten::batch_norm(%c, %w, %b, %m, %v, %no, %momentum, %eps, %yes)\n";
  static const std::string kShortcut =
      "  %d : Tensor = aten::conv2d(%x, %k, %b, %ones, %ones, %ones, %1)\n"
      "  %o : Tensor = aten::batch_norm(%d, %w, %b, %nothing, %nothing, %yes, %momentum, %eps, %yes)\n";
  static const std::vector<std::string> kOne = {"espalier_graph::channels_last", "aten::conv2d",
                                                "espalier_graph::batch_norm_add_relu"};
  const auto apart = [](const std::string& sum) {
    return std::vector<std::string>{"espalier_graph::channels_last", "aten::conv2d", "aten::batch_norm", sum,
                                    "aten::relu"};
  };
  static const std::vector<Rewriting> all = {
      {"norm, sum and relu",
       kConvolution + "  %s : Tensor = aten::add(%n, %x, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       kOne},
      {"both over the norm",
       kConvolution + "  %s : Tensor = aten::add_(%n, %x, %1)\n"
                      "  %out : Tensor = aten::relu_(%s)\n",
       kOne},
      {"the norm as the second summand",
       kConvolution + "  %s : Tensor = aten::add(%x, %n, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       kOne},
      {"known statistics",
       kInference + "  %s : Tensor = aten::add(%n, %x, %1)\n"
                    "  %out : Tensor = aten::relu(%s)\n",
       kOne},
      {"a shortcut with a norm of its own, computed behind it",
       kConvolution + kShortcut +
           "  %s : Tensor = aten::add(%n, %o, %1)\n"
           "  %out : Tensor = aten::relu(%s)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "aten::batch_norm", "espalier_graph::channels_last",
        "aten::conv2d", "espalier_graph::batch_norm_add_relu"}},
      {"the same over a norm, with statistics that both follow",
       kConvolution + "  %d : Tensor = aten::batch_norm(%x, %w, %b, %m, %v, %yes, %momentum, %eps, %yes)\n"
                      "  %s : Tensor = aten::add_(%n, %d, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "aten::batch_norm",
        "espalier_graph::batch_norm_add_relu"}},
      {"a summand of another shape",
       kConvolution + "  %a : Tensor = aten::mean(%x, %sides, %yes, %nothing)\n"
                      "  %s : Tensor = aten::add(%n, %a, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "aten::mean",
        "espalier_graph::batch_norm_add_relu"}},
      {"a summand of another type",
       kConvolution + "  %d : Tensor = aten::to(%x, %double, %no, %no, %nothing)\n"
                      "  %s : Tensor = aten::add(%n, %d, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "aten::to", "espalier_graph::batch_norm_add_relu"}},
      {"the same, over the norm, whose type it keeps",
       kConvolution + "  %d : Tensor = aten::to(%x, %double, %no, %no, %nothing)\n"
                      "  %s : Tensor = aten::add_(%n, %d, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "aten::to", "espalier_graph::batch_norm_add_relu"}},
      {"a norm that is read before the sum through its statistics",
       kConvolution + "  %p : Tensor = aten::view(%v, %channels)\n"
                      "  %q : Tensor = aten::mul(%x, %p)\n"
                      "  %s : Tensor = aten::add(%n, %q, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "aten::batch_norm", "aten::view", "aten::mul",
        "aten::add", "aten::relu"}},
      {"a sum over what an earlier turn of a loop left",
       "  %c : Tensor = aten::conv2d(%x, %k, %b, %ones, %ones, %ones, %1)\n"
       "  %out : Tensor = prim::Loop(%2, %yes, %x)\n"
       "    block0(%i : int, %r : Tensor):\n"
       "      %n : Tensor = aten::batch_norm(%r, %w, %b, %m, %v, %yes, %momentum, %eps, %yes)\n"
       "      %s : Tensor = aten::add_(%c, %n, %1)\n"
       "      %t : Tensor = aten::relu(%s)\n"
       "      -> (%yes, %t)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "prim::Loop", "aten::batch_norm", "aten::add_",
        "aten::relu"}},
      {"a bias that the images of a fused norm depend on too",
       kInference + "  %out : Tensor = aten::relu(%n)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "espalier_graph::batch_norm_relu"}},
      {"a sum over the shortcut",
       kConvolution + "  %s : Tensor = aten::add_(%x, %n, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       apart("aten::add_")},
      {"a sum with a factor",
       kConvolution + "  %s : Tensor = aten::add(%n, %x, %2)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       apart("aten::add")},
      {"a sum with a number",
       kConvolution + "  %s : Tensor = aten::add(%n, %3, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       apart("aten::add")},
      {"a sum that is read twice",
       kConvolution + "  %s : Tensor = aten::add(%n, %x, %1)\n"
                      "  %r : Tensor = aten::relu(%s)\n"
                      "  %out : Tensor = aten::mul(%r, %s)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "aten::batch_norm", "aten::add", "aten::relu",
        "aten::mul"}},
      {"a norm that is read twice",
       kConvolution + "  %s : Tensor = aten::add(%n, %n, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       apart("aten::add")},
      {"images that are changed between the norm and the sum",
       kConvolution + "  %d : Tensor = aten::mul_(%c, %3)\n"
                      "  %s : Tensor = aten::add(%n, %d, %1)\n"
                      "  %out : Tensor = aten::relu(%s)\n",
       {"espalier_graph::channels_last", "aten::conv2d", "aten::batch_norm", "aten::mul_", "aten::add",
        "aten::relu"}},
  };
  return all;
}

}  // namespace

TEST("fuse: layers become one where nothing else reads what is between, and nowhere else") {
  std::vector<Rewriting> all = rewritings();
  all.insert(all.end(), residuals().begin(), residuals().end());
  for (const Rewriting& each : all) {
    const auto graph = parse(each.body);
    const auto fused = ir::fused(*graph);
    fused->lint();
    if (operatorsOf(*fused) != each.operators)
      throw Failure(text(each.name, ": found ", c10::str(operatorsOf(*fused))));
    const at::Tensor expected = run(graph);
    const at::Tensor value = run(fused);
    const bool isSame = each.isExact ? at::equal(value, expected) : at::allclose(value, expected, 1e-5, 1e-5);
    if (!isSame) throw Failure(text(each.name, ": other values"));
  }
}

namespace {

// What the fused operator gives for drawn images, and its first and second gradients.
std::vector<at::Tensor> computed(const std::shared_ptr<torch::jit::Graph>& graph, at::ScalarType type,
                                 at::MemoryFormat layout) {
  torch::manual_seed(2);
  const at::Tensor x = torch::randn({4, 3, 8, 8}).to(type).contiguous(layout).requires_grad_();
  const at::Tensor weight = torch::randn({3}).to(type).requires_grad_();
  const at::Tensor bias = torch::randn({3}).to(type).requires_grad_();
  const at::Tensor mean = torch::zeros({3}, type);
  const at::Tensor variance = torch::ones({3}, type);
  torch::jit::Stack stack{x, weight, bias, mean, variance, torch::randn({3, 3, 3, 3}).to(type)};
  const torch::jit::Code code(graph, "test");
  torch::jit::InterpreterState(code).run(stack);
  const at::Tensor y = stack.back().toTensor();
  // Weighted: batch norm's gradient of a plain sum of squares is close to nothing but rounding.
  const at::Tensor loss = (y.square() * torch::randn(y.sizes()).to(type)).sum();
  const auto first = torch::autograd::grad({loss}, {x, weight, bias}, {}, true, /*create_graph=*/true);
  const auto plain = torch::autograd::grad({loss}, {x, weight, bias}, {}, true);
  const auto second = torch::autograd::grad({first[0].square().sum()}, {x, weight});
  std::vector<at::Tensor> all = {y, mean, variance, first[0], first[1], first[2]};
  all.insert(all.end(), plain.begin(), plain.end());
  all.insert(all.end(), second.begin(), second.end());
  return all;
}

void expectClose(const char* name, const std::vector<at::Tensor>& found,
                 const std::vector<at::Tensor>& exact) {
  for (size_t i = 0; i < found.size(); ++i) {
    const double largest = exact[i].abs().max().item<double>();
    const double gap = (found[i].to(at::kDouble) - exact[i]).abs().max().item<double>();
    if (!(gap <= 2e-5 * largest))
      throw Failure(text(name, ": tensor ", i, " is off by ", gap, " of ", largest));
  }
}

void expectSame(const std::shared_ptr<torch::jit::Graph>& fused,
                const std::shared_ptr<torch::jit::Graph>& graph, at::ScalarType type) {
  const auto found = computed(fused, type, at::MemoryFormat::Contiguous);
  const auto expected = computed(graph, type, at::MemoryFormat::Contiguous);
  for (size_t i = 0; i < found.size(); ++i) EXPECT(at::equal(found[i], expected[i]));
}

}  // namespace

TEST("fuse: values, running statistics and first and second gradients are those of the plain graph") {
  // In training and in inference, with pooling and without.
  for (const size_t which : {0, 1, 2, 3, 4}) {
    const auto graph = parse(rewritings()[which].body);
    const auto fused = ir::fused(*graph);
    expectClose(rewritings()[which].name, computed(fused, at::kFloat, at::MemoryFormat::ChannelsLast),
                computed(graph, at::kDouble, at::MemoryFormat::Contiguous));
    // What the kernels are not for has the bits of the plain graph.
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) expectSame(fused, graph, type);
  }
}

TEST("fuse: the end of a residual block has the values and gradients of the plain graph too") {
  for (const Rewriting& each : residuals()) {
    if (each.operators.back().rfind("espalier_graph::batch_norm", 0) != 0) continue;
    const auto graph = parse(each.body);
    const auto fused = ir::fused(*graph);
    for (const at::MemoryFormat layout : {at::MemoryFormat::ChannelsLast, at::MemoryFormat::Contiguous}) {
      expectClose(each.name, computed(fused, at::kFloat, layout),
                  computed(graph, at::kDouble, at::MemoryFormat::Contiguous));
    }
    expectSame(fused, graph, at::kDouble);
  }
}

TEST("fuse: every block of a residual network ends in one operator") {
  for (const auto& [architecture, blocks] : std::vector<std::pair<Architecture, int64_t>>{
           {Architecture::kResnet20, 9}, {Architecture::kResnet18, 8}}) {
    CreateOptions options;
    options.architecture = architecture;
    const auto model = createModel(options);
    torch::jit::Module module = model->module();
    const auto graph = ir::prepared(module, module.get_method("forward").function(), Mode::kTrain);
    const std::vector<std::string> names = operatorsOf(*ir::fused(*graph));
    EXPECT_EQ(std::count(names.begin(), names.end(), "espalier_graph::batch_norm_add_relu"), blocks);
  }
}

TEST("fuse: where only the shortcut is trained its gradient is differentiable too") {
  torch::manual_seed(3);
  const at::Tensor x = torch::randn({2, 3, 4, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor shortcut = x.clone().requires_grad_();
  const auto op = c10::Dispatcher::singleton()
                      .findSchemaOrThrow("espalier_graph::batch_norm_add_relu", "")
                      .typed<at::Tensor(const at::Tensor&, const std::optional<at::Tensor>&,
                                        const std::optional<at::Tensor>&, const at::Tensor&,
                                        const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
                                        bool, double, double, int64_t)>();
  const at::Tensor y = op.call(x, {}, {}, shortcut, {}, {}, true, 0.1, 1e-5, 0);
  const auto first = torch::autograd::grad({y.square().sum()}, {shortcut}, {}, true, /*create_graph=*/true);
  EXPECT(at::allclose(first[0], 2 * y));
  EXPECT(at::equal(torch::autograd::grad({y.square().sum()}, {shortcut}, {}, true)[0], first[0]));
  const auto second = torch::autograd::grad({first[0].sum()}, {shortcut});
  EXPECT(at::equal(second[0], 2 * y.gt(0).to(at::kFloat)));
}

TEST("fuse: a network trains as its plain graph does, whatever its images' layout and number of channels") {
  for (const auto& [architecture, channels, mode] :
       std::vector<std::tuple<Architecture, int64_t, Mode>>{{Architecture::kConvnet, 1, Mode::kTrain},
                                                            {Architecture::kConvnet, 3, Mode::kTrain},
                                                            {Architecture::kConvnet, 1, Mode::kEval},
                                                            {Architecture::kConvnet, 3, Mode::kEval},
                                                            {Architecture::kResnet20, 3, Mode::kTrain},
                                                            {Architecture::kResnet20, 1, Mode::kEval}}) {
    CreateOptions options;
    options.architecture = architecture;
    options.inChannels = channels;
    if (architecture == Architecture::kConvnet) options.widths = std::vector<int64_t>{8, 20, 16};
    options.seed = 3;
    const auto model = createModel(options);
    const auto twin = model->clone();
    torch::manual_seed(4);
    const at::Tensor images = torch::rand({6, channels, 32, 32});
    const auto gradients = [mode = mode](Model& each, bool fused, const at::Tensor& given) {
      const at::Tensor logits = fused ? each.trainingLogits(given, mode) : each.logits(given, mode);
      logits.log_softmax(1).select(1, 0).sum().backward();
      std::vector<at::Tensor> all;
      for (const ParameterInfo& info : each.parameters()) all.push_back(info.tensor.grad());
      all.push_back(logits.detach());
      for (const ParameterInfo& info : each.buffers()) all.push_back(info.tensor.to(at::kFloat).clone());
      return all;
    };
    const auto expected = gradients(*twin, false, images);
    const auto found = gradients(*model, true, images);
    const auto other = gradients(*twin->clone(), true, images.contiguous(at::MemoryFormat::ChannelsLast));
    for (size_t i = 0; i < expected.size(); ++i) {
      const double largest = expected[i].abs().max().item<double>();
      EXPECT((found[i] - expected[i]).abs().max().item<double>() <= 1e-4 * largest + 1e-7);
      EXPECT(found[i].is_contiguous() == expected[i].is_contiguous());
      EXPECT(other[i].defined());
    }
  }
}

TEST("fuse: in bfloat16 a network's gradients are those of its plain graph but for rounding") {
  CreateOptions options;
  options.widths = std::vector<int64_t>{8, 20, 16};
  options.seed = 3;
  const auto model = createModel(options);
  torch::manual_seed(4);
  const at::Tensor images = torch::rand({16, 3, 32, 32});
  const auto gradients = [&](bool fused, Precision precision) {
    const auto twin = model->clone();
    const AutocastScope autocast(c10::DeviceType::CPU, precision);
    const at::Tensor logits =
        fused ? twin->trainingLogits(images, Mode::kTrain) : twin->logits(images, Mode::kTrain);
    EXPECT(precision == Precision::kFloat32 || logits.scalar_type() == at::kBFloat16);
    logits.to(at::kFloat).log_softmax(1).select(1, 0).sum().backward();
    std::vector<at::Tensor> all;
    for (const ParameterInfo& info : twin->parameters()) all.push_back(info.tensor.grad());
    return all;
  };
  const auto exact = gradients(false, Precision::kFloat32);
  const auto plain = gradients(false, Precision::kBfloat16);
  const auto found = gradients(true, Precision::kBfloat16);
  for (size_t i = 0; i < exact.size(); ++i) {
    const double largest = exact[i].norm().item<double>();
    const double gap = (found[i] - exact[i]).norm().item<double>();
    const double usual = (plain[i] - exact[i]).norm().item<double>();
    // As far from float32 as the plain graph is, not further.
    if (gap > 1.5 * usual + 1e-3 * largest)
      throw Failure(text("gradient ", i, " is off by ", gap, ", the plain one by ", usual, " of ", largest));
  }
}

TEST("fuse: the graph that is given does not change") {
  const auto graph = parse(rewritings().front().body);
  const std::string before = graph->toString();
  ir::fused(*graph);
  EXPECT(graph->toString() == before);
}
