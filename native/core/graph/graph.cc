#include "core/graph/graph.h"

#include <map>
#include <mutex>

#include <ATen/core/grad_mode.h>

#include "core/error.h"
#include "core/graph/canonical.h"
#include "core/graph/cost.h"
#include "core/graph/failure.h"
#include "core/graph/flags.h"
#include "core/graph/freeze.h"
#include "core/graph/fuse.h"
#include "core/graph/layers.h"
#include "core/graph/prepare.h"
#include "core/graph/program.h"
#include "core/graph/split.h"
#include "core/graph/taps.h"
#include "core/graph/walk.h"

namespace espalier {

namespace {

torch::jit::Function& forwardOf(const torch::jit::Module& module) {
  torch::jit::Function* forward = module.type()->findMethod("forward");
  if (forward == nullptr || torch::jit::tryToGraphFunction(*forward) == nullptr) {
    fail(ErrorCode::kModelUnsupported,
         "the model has no method 'forward' that can be run: export it with torch.jit.script or "
         "torch.jit.trace");
  }
  return *forward;
}

}  // namespace

struct Graph::Impl {
  using Points = std::vector<std::pair<size_t, bool>>;

  torch::jit::Module module;
  Mode mode;
  torch::jit::Function& forward;
  std::shared_ptr<torch::jit::Graph> graph;
  ir::LayerAnalysis analysis;
  ir::Hooks hooks;
  ir::Program program;
  bool usesRandomness = false;

  std::mutex mutex;  // guards the programs below, which are made on first use
  std::map<Points, std::shared_ptr<const ir::Program>> tapped;
  std::optional<ir::Program> training;  // fused

  Impl(const torch::jit::Module& source, Mode sourceMode)
      : module(source),
        mode(sourceMode),
        forward(forwardOf(module)),
        graph(ir::prepared(module, forward, mode)),
        analysis(ir::findLayers(module, *graph)),
        hooks(module, mode),
        program(graph, "forward") {
    for (const torch::jit::Node* node : ir::allNodes(*graph)) {
      usesRandomness = usesRandomness || ir::drawsRandomNumbers(*node);
    }
    for (Unknown& unknown : ir::opaqueCalls(*graph)) analysis.unknowns.push_back(std::move(unknown));
  }

  // Runs `code` with the hooks around it; `extras` are inputs that it takes behind the model's own.
  c10::IValue run(const ir::Program& code, std::vector<c10::IValue> inputs,
                  const std::vector<c10::IValue>& extras) const {
    try {
      hooks.before(module, inputs);
      torch::jit::Stack stack{module._ivalue()};
      stack.insert(stack.end(), inputs.begin(), inputs.end());
      forward.getSchema().checkAndNormalizeInputs(stack, {});
      stack.insert(stack.end(), extras.begin(), extras.end());
      return hooks.after(module, inputs, code.run(std::move(stack)));
    } catch (...) {
      failFromTorch(ErrorCode::kModelRun, "the model failed while it ran");
    }
  }

  const ir::Program& trainingProgram() {
    const std::lock_guard lock(mutex);
    if (!training) training.emplace(ir::fused(*graph), "forward to train");
    return *training;
  }

  std::shared_ptr<const ir::Program> programFor(const std::vector<TapPoint>& points) {
    Points key;
    for (const TapPoint& point : points) {
      if (point.layer >= analysis.layers.size()) {
        fail(ErrorCode::kInternal, "no layer ", point.layer, " to tap: the graph has ",
             analysis.layers.size());
      }
      key.emplace_back(point.layer, point.side == TapPoint::Side::kInput);
    }
    const std::lock_guard lock(mutex);
    auto& known = tapped[key];
    if (!known) {
      known =
          std::make_shared<const ir::Program>(ir::withTaps(*graph, analysis, points), "forward with taps");
    }
    return known;
  }
};

Graph::Graph(const torch::jit::Module& module, Mode mode) {
  try {
    impl_ = std::make_unique<Impl>(module, mode);
  } catch (...) {
    failFromTorch(ErrorCode::kModelUnsupported, "the model's code cannot be analysed");
  }
}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

const std::vector<Layer>& Graph::layers() const { return impl_->analysis.layers; }
const std::vector<Unknown>& Graph::unknowns() const { return impl_->analysis.unknowns; }
bool Graph::usesRandomness() const { return impl_->usesRandomness; }

c10::IValue Graph::run(std::vector<c10::IValue> inputs) const {
  return impl_->run(impl_->program, std::move(inputs), {});
}

c10::IValue Graph::train(std::vector<c10::IValue> inputs) const {
  return impl_->run(impl_->trainingProgram(), std::move(inputs), {});
}

c10::IValue Graph::run(std::vector<c10::IValue> inputs, const std::vector<TapPoint>& points,
                       Taps& taps) const {
  const auto program = impl_->programFor(points);
  std::vector<c10::List<at::Tensor>> lists(points.size());
  std::vector<c10::IValue> extras(lists.begin(), lists.end());
  c10::IValue output = impl_->run(*program, std::move(inputs), extras);
  taps.clear();
  for (const auto& list : lists) taps.push_back(list.vec());
  return output;
}

Graph::Split Graph::split(const std::optional<std::string>& path, bool fused) const {
  if (!impl_->hooks.empty()) {
    fail(ErrorCode::kModelUnsupported,
         "cannot split a model with hooks around its forward: export it without them");
  }
  std::optional<size_t> layer;
  const std::vector<Layer>& all = layers();
  for (size_t i = 0; path && i < all.size(); ++i) {
    if (all[i].path == *path) layer = i;
  }
  if (path && !layer) {
    fail(ErrorCode::kInvalidArgType, "expected the path of a layer for split, received '", *path, "'");
  }
  ir::SplitGraphs graphs = ir::splitGraph(*impl_->graph, impl_->analysis, layer);
  const auto programOf = [fused](const std::shared_ptr<torch::jit::Graph>& graph, const char* name) {
    return std::make_shared<const ir::Program>(fused ? ir::fused(*graph) : graph, name);
  };
  Split split;
  split.layers = std::move(graphs.layers);
  split.at = std::move(graphs.at);
  split.encode = [impl = impl_.get(),
                  encoder = programOf(graphs.encoder, "encoder")](std::vector<c10::IValue> inputs) {
    return impl->run(*encoder, std::move(inputs), {}).toTensor();
  };
  split.head = [impl = impl_.get(), head = programOf(graphs.head, "head")](const at::Tensor& features) {
    try {
      return head->run({impl->module._ivalue(), features});
    } catch (...) {
      failFromTorch(ErrorCode::kModelRun, "the model's head failed while it ran");
    }
  };
  return split;
}

std::vector<LayerCost> Graph::cost(std::vector<c10::IValue> inputs) const {
  const at::NoGradGuard noGrad;
  const std::vector<ir::Probe> probes = ir::findProbes(*impl_->graph, impl_->analysis);
  const ir::Program program(ir::withProbes(*impl_->graph, probes), "forward with probes");
  c10::List<c10::List<int64_t>> readings;
  impl_->run(program, std::move(inputs), {readings});
  return ir::readCosts(*impl_->graph, impl_->analysis, probes, readings);
}

std::function<c10::IValue(std::vector<c10::IValue>)> Graph::frozen() const {
  if (impl_->mode != Mode::kEval) return {};
  std::shared_ptr<torch::jit::Graph> graph;
  try {
    graph = ir::frozen(impl_->module, *impl_->graph);
  } catch (const std::exception&) {
    return {};  // a pass of libtorch that cannot cope with this graph: the plain one serves
  }
  if (!graph) return {};
  auto program = std::make_shared<const ir::Program>(ir::fused(*graph), "frozen forward");
  return [impl = impl_.get(), program](std::vector<c10::IValue> inputs) {
    const at::NoGradGuard noGrad;
    return impl->run(*program, std::move(inputs), {});
  };
}

bool Graph::hasBakedTraining() const {
  return ir::hasBakedTraining(*ir::inlined(impl_->module, impl_->forward));
}

std::shared_ptr<torch::jit::Graph> Graph::switchable() const {
  auto graph = ir::inlined(impl_->module, impl_->forward);
  ir::readTraining(*graph);
  graph->lint();
  return graph;
}

std::string Graph::canonicalText(std::vector<at::Tensor>& constants) const {
  return ir::canonicalText(*impl_->graph, constants);
}

}  // namespace espalier
