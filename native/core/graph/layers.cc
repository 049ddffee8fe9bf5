#include "core/graph/layers.h"

#include <map>
#include <unordered_map>

#include <torch/csrc/jit/ir/constants.h>

#include "core/error.h"
#include "core/graph/resolve.h"
#include "core/graph/walk.h"

namespace espalier::ir {

using torch::jit::Node;
using torch::jit::Value;
namespace prim = c10::prim;

namespace {

// Where an operator keeps what makes it a layer: names of its schema's arguments.
struct LayerOperator {
  LayerKind kind;
  const char* input;
  const char* weight;
  const char* bias;
};

const std::unordered_map<std::string_view, LayerOperator>& layerOperators() {
  using enum LayerKind;
  static const std::unordered_map<std::string_view, LayerOperator> kOperators = {
      {"aten::conv1d", {kConv1d, "input", "weight", "bias"}},
      {"aten::conv2d", {kConv2d, "input", "weight", "bias"}},
      {"aten::conv3d", {kConv3d, "input", "weight", "bias"}},
      {"aten::_convolution", {kConv2d, "input", "weight", "bias"}},
      {"aten::_convolution_mode", {kConv2d, "input", "weight", "bias"}},
      {"aten::convolution", {kConv2d, "input", "weight", "bias"}},
      {"aten::conv_transpose1d", {kConvTranspose, "input", "weight", "bias"}},
      {"aten::conv_transpose2d", {kConvTranspose, "input", "weight", "bias"}},
      {"aten::conv_transpose3d", {kConvTranspose, "input", "weight", "bias"}},
      {"aten::linear", {kLinear, "input", "weight", "bias"}},
      {"aten::addmm", {kLinear, "mat1", "mat2", "self"}},
      {"aten::lstm", {kLstm, "input", "params", ""}},
      {"aten::gru", {kGru, "input", "params", ""}},
      {"aten::rnn_tanh", {kRnn, "input", "params", ""}},
      {"aten::rnn_relu", {kRnn, "input", "params", ""}},
      {"aten::lstm_cell", {kLstmCell, "input", "w_ih", "b_ih"}},
      {"aten::gru_cell", {kGruCell, "input", "w_ih", "b_ih"}},
      {"aten::rnn_tanh_cell", {kRnnCell, "input", "w_ih", "b_ih"}},
      {"aten::rnn_relu_cell", {kRnnCell, "input", "w_ih", "b_ih"}},
      {"aten::embedding", {kEmbedding, "indices", "weight", ""}},
      {"aten::embedding_bag", {kEmbedding, "indices", "weight", ""}},
      {"aten::batch_norm", {kBatchNorm, "input", "weight", "bias"}},
      {"aten::layer_norm", {kLayerNorm, "input", "weight", "bias"}},
      {"aten::rms_norm", {kLayerNorm, "input", "weight", ""}},
      {"aten::group_norm", {kGroupNorm, "input", "weight", "bias"}},
      {"aten::instance_norm", {kInstanceNorm, "input", "weight", "bias"}},
  };
  return kOperators;
}

bool isNorm(LayerKind kind) {
  return kind == LayerKind::kBatchNorm || kind == LayerKind::kLayerNorm || kind == LayerKind::kGroupNorm ||
         kind == LayerKind::kInstanceNorm;
}

bool isConvolution(LayerKind kind) {
  return kind == LayerKind::kConv1d || kind == LayerKind::kConv2d || kind == LayerKind::kConv3d ||
         kind == LayerKind::kConvTranspose;
}

bool isRecurrent(LayerKind kind) {
  using enum LayerKind;
  return kind == kLstm || kind == kGru || kind == kRnn || kind == kLstmCell || kind == kGruCell ||
         kind == kRnnCell;
}

// A layer as one node shows it, before it is merged with the other calls of the same weight.
struct Candidate {
  LayerOperator op;
  size_t inputIndex = 0;
  std::vector<WeightSource> weights;  // one, or an LSTM's list; empty for a norm that has none
  std::optional<WeightSource> bias;
};

class LayerFinder {
 public:
  LayerFinder(const torch::jit::Module& module, torch::jit::Graph& graph)
      : resolver_(module, graph), nodes_(allNodes(graph)) {}

  LayerAnalysis run() {
    for (size_t at = 0; at < nodes_.size(); ++at) {
      const Node& node = *nodes_[at];
      std::string reason;
      if (auto candidate = read(node, reason)) {
        add(*candidate, node, at);
      } else if (!reason.empty()) {
        found_.unknowns.push_back({node.kind().toQualString(), sourceOf(node), reason});
      }
    }
    findNorms();
    return std::move(found_);
  }

 private:
  // None without a reason: not a layer. None with one: a layer that cannot be followed.
  std::optional<Candidate> read(const Node& node, std::string& reason) const {
    const auto op = layerOperators().find(node.kind().toQualString());
    if (op == layerOperators().end()) return readProduct(node);
    Candidate candidate{op->second, 0, {}, {}};
    const auto input = argumentIndex(node, candidate.op.input);
    const Value* weight = argument(node, candidate.op.weight);
    if (!input || weight == nullptr) return std::nullopt;
    candidate.inputIndex = *input;
    if (weight->type()->kind() == c10::TypeKind::ListType) {
      auto list = resolver_.weights(weight, reason);
      if (!list || list->empty()) return std::nullopt;
      candidate.weights = std::move(*list);
      return candidate;
    }
    if (auto source = resolver_.weight(weight, reason)) {
      candidate.weights.push_back(std::move(*source));
      // A cell's recurrent weight and its biases belong to the layer too.
      for (const char* name : {"w_hh", "b_ih", "b_hh"}) append(candidate, argument(node, name));
    } else if (!isNorm(candidate.op.kind) || !weight->mustBeNone()) {
      return std::nullopt;
    }
    std::string ignored;  // a bias may be computed: the layer is known by its weight
    if (const Value* bias = argument(node, candidate.op.bias))
      candidate.bias = resolver_.weight(bias, ignored);
    if (node.kind() == c10::aten::addmm && !isProductWeight(candidate.weights[0])) return std::nullopt;
    return candidate;
  }

  static bool contains(const std::vector<std::string>& paths, const std::string& path) {
    return std::find(paths.begin(), paths.end(), path) != paths.end();
  }

  static int64_t countMatrixElements(const Candidate& candidate) {
    int64_t count = 0;
    for (const WeightSource& source : candidate.weights) {
      if (source.tensor.dim() == 2) count += source.tensor.numel();
    }
    return count;
  }

  void append(Candidate& candidate, const Value* value) const {
    std::string ignored;
    if (value == nullptr) return;
    if (auto source = resolver_.weight(value, ignored)) candidate.weights.push_back(std::move(*source));
  }

  bool isProductWeight(const WeightSource& source) const {
    return resolver_.isParameter(source.tensor) && source.tensor.dim() == 2;
  }

  // A product with a parameter is a linear layer without a bias.
  std::optional<Candidate> readProduct(const Node& node) const {
    if (node.kind() != c10::aten::matmul && node.kind() != c10::aten::mm) return std::nullopt;
    std::string ignored;
    for (const size_t side : {1U, 0U}) {
      auto source = resolver_.weight(node.input(side), ignored);
      if (!source || !isProductWeight(*source)) continue;
      // On the left the weight is applied as it stands: it is [out, in] there, as tensor.t() is on the right.
      if (side == 0) source->transposed = !source->transposed;
      Candidate candidate{{LayerKind::kLinear, "", "", ""}, 1 - side, {}, {}};
      candidate.weights.push_back(std::move(*source));
      return candidate;
    }
    return std::nullopt;
  }

  void add(const Candidate& candidate, const Node& node, size_t at) {
    std::optional<WeightSource> identity;
    if (!candidate.weights.empty()) {
      identity = candidate.weights[0];
    } else if (const Value* mean = argument(node, "running_mean")) {
      std::string ignored;  // a norm without weight and statistics is no parametrised operator
      identity = resolver_.weight(mean, ignored);
    }
    if (!identity) return;
    const auto [known, isNew] =
        index_.try_emplace({identity->tensor.unsafeGetTensorImpl(), candidate.op.kind}, found_.layers.size());
    if (isNew) {
      found_.layers.push_back(describe(candidate, node, *identity));
      found_.matrixElements.push_back(isRecurrent(candidate.op.kind) ? countMatrixElements(candidate) : 0);
    }
    Layer& layer = found_.layers[known->second];
    ++layer.calls;
    // Calls of one weight may each have a bias of their own.
    if (candidate.bias && !candidate.bias->path.empty() &&
        !contains(layer.parameterPaths, candidate.bias->path)) {
      layer.parameterPaths.push_back(candidate.bias->path);
    }
    found_.calls.push_back({known->second, at, candidate.inputIndex});
  }

  Layer describe(const Candidate& candidate, const Node& node, const WeightSource& identity) const {
    Layer layer;
    layer.kind = candidate.op.kind;
    layer.path = identity.path.empty() ? text("constant.", found_.layers.size()) : parentPath(identity.path);
    if (!candidate.weights.empty()) {
      layer.weight = candidate.weights[0].tensor;
      layer.weightPath = candidate.weights[0].path;
      for (const std::string& other : resolver_.paths(layer.weight)) {
        if (other != layer.weightPath) layer.aliases.push_back(parentPath(other));
      }
    }
    if (candidate.bias && candidate.bias->tensor.defined()) {
      layer.bias = candidate.bias->tensor;
      layer.biasPath = candidate.bias->path;
    }
    for (const WeightSource& source : candidate.weights) layer.parameterPaths.push_back(source.path);
    if (!layer.biasPath.empty()) layer.parameterPaths.push_back(layer.biasPath);
    std::erase(layer.parameterPaths, "");
    describeChannels(layer, candidate, node, identity.tensor);
    return layer;
  }

  static void describeChannels(Layer& layer, const Candidate& candidate, const Node& node,
                               const at::Tensor& statistics) {
    if (isConvolution(layer.kind)) {
      describeConvolution(layer, node);
    } else if (layer.kind == LayerKind::kLinear) {
      const bool byInput = (node.kind() == c10::aten::linear) == candidate.weights[0].transposed;
      layer.outputDim = byInput ? 1 : 0;
      layer.outChannels = layer.weight.size(layer.outputDim);
      layer.inChannels = layer.weight.size(1 - layer.outputDim);
    } else if (layer.kind == LayerKind::kEmbedding) {
      layer.outputDim = 1;
      layer.inChannels = layer.weight.size(0);
      layer.outChannels = layer.weight.size(1);
    } else if (isNorm(layer.kind)) {
      layer.outChannels = (layer.weight.defined() ? layer.weight : statistics).numel();
      layer.inChannels = layer.outChannels;
    } else {
      layer.inChannels = layer.weight.size(1);
      layer.outChannels = candidate.weights.size() > 1 ? candidate.weights[1].tensor.size(1) : 0;
    }
    layer.prunable =
        (isConvolution(layer.kind) || layer.kind == LayerKind::kLinear) && !layer.weightPath.empty();
  }

  static void describeConvolution(Layer& layer, const Node& node) {
    if (const Value* groups = argument(node, "groups")) {
      const auto constant = torch::jit::toIValue(groups);
      if (constant && constant->isInt()) layer.groups = constant->toInt();
    }
    if (const Value* transposed = argument(node, "transposed")) {
      const auto constant = torch::jit::toIValue(transposed);
      if (constant && constant->isBool() && constant->toBool()) layer.kind = LayerKind::kConvTranspose;
    }
    if (layer.kind == LayerKind::kConvTranspose) {
      layer.outputDim = 1;
      layer.inChannels = layer.weight.size(0);
      layer.outChannels = layer.weight.size(1) * layer.groups;
      return;
    }
    constexpr LayerKind kByDimension[] = {LayerKind::kConv1d, LayerKind::kConv2d, LayerKind::kConv3d};
    if (layer.weight.dim() >= 3 && layer.weight.dim() <= 5) layer.kind = kByDimension[layer.weight.dim() - 3];
    layer.inChannels = layer.weight.size(1) * layer.groups;
    layer.outChannels = layer.weight.size(0);
  }

  // A layer has a norm when all its calls are read by that norm alone.
  void findNorms() {
    std::unordered_map<const Node*, size_t> layerOf;
    for (const LayerCall& call : found_.calls) layerOf[nodes_[call.node]] = call.layer;
    std::map<size_t, std::optional<size_t>> norms;
    for (const LayerCall& call : found_.calls) {
      std::optional<size_t> norm;
      const auto& uses = nodes_[call.node]->output(0)->uses();
      if (uses.size() == 1) {
        const auto reader = layerOf.find(uses[0].user);
        if (reader != layerOf.end() && isNorm(found_.layers[reader->second].kind)) norm = reader->second;
      }
      const auto [known, isNew] = norms.try_emplace(call.layer, norm);
      if (!isNew && known->second != norm) known->second.reset();
    }
    for (const auto& [layer, norm] : norms) {
      if (norm && !isNorm(found_.layers[layer].kind)) found_.layers[layer].norm = found_.layers[*norm].path;
    }
  }

  Resolver resolver_;
  std::vector<Node*> nodes_;
  std::map<std::pair<const c10::TensorImpl*, LayerKind>, size_t> index_;
  LayerAnalysis found_;
};

}  // namespace

LayerAnalysis findLayers(const torch::jit::Module& module, torch::jit::Graph& graph) {
  return LayerFinder(module, graph).run();
}

}  // namespace espalier::ir
