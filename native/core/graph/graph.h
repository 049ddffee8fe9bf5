#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/script.h>

#include "core/fields.h"

// What a TorchScript module computes: its layers, what they cost, and a forward that can be tapped. Together
// with graph/*.cc and model.cc this is the only code that touches TorchScript IR.
namespace espalier {

enum class Mode { kEval, kTrain };

enum class LayerKind {
  kConv1d,
  kConv2d,
  kConv3d,
  kConvTranspose,
  kLinear,
  kLstm,
  kGru,
  kRnn,
  kLstmCell,
  kGruCell,
  kRnnCell,
  kEmbedding,
  kBatchNorm,
  kLayerNorm,
  kGroupNorm,
  kInstanceNorm,
};

template <>
struct EnumNames<LayerKind> {
  static constexpr EnumName<LayerKind> kNames[] = {{LayerKind::kConv1d, "conv1d"},
                                                   {LayerKind::kConv2d, "conv2d"},
                                                   {LayerKind::kConv3d, "conv3d"},
                                                   {LayerKind::kConvTranspose, "convTranspose"},
                                                   {LayerKind::kLinear, "linear"},
                                                   {LayerKind::kLstm, "lstm"},
                                                   {LayerKind::kGru, "gru"},
                                                   {LayerKind::kRnn, "rnn"},
                                                   {LayerKind::kLstmCell, "lstmCell"},
                                                   {LayerKind::kGruCell, "gruCell"},
                                                   {LayerKind::kRnnCell, "rnnCell"},
                                                   {LayerKind::kEmbedding, "embedding"},
                                                   {LayerKind::kBatchNorm, "batchNorm"},
                                                   {LayerKind::kLayerNorm, "layerNorm"},
                                                   {LayerKind::kGroupNorm, "groupNorm"},
                                                   {LayerKind::kInstanceNorm, "instanceNorm"}};
};

// One parametrised operator and everything that calls it with the same weight tensor (a tied weight is one
// layer with several paths).
struct Layer {
  std::string path;                  // of the weight's module, "features.0"; "" for the root
  std::vector<std::string> aliases;  // other paths of the same weight's module
  LayerKind kind = LayerKind::kLinear;
  at::Tensor weight;       // the module's own tensor: shared, never a copy; undefined for a norm without one
  at::Tensor bias;         // undefined when it has none
  std::string weightPath;  // "features.0.weight"; "" for a constant of the code (a frozen module)
  std::string biasPath;
  std::vector<std::string> parameterPaths;  // of all its parameters: an LSTM has several weights
  int64_t inChannels = 0;
  int64_t outChannels = 0;
  int64_t groups = 1;
  int64_t outputDim = 0;            // the dimension of `weight` that runs over output channels
  std::optional<std::string> norm;  // path of the norm that alone reads its output
  bool prunable = false;            // conv, linear and transposed conv weights
  int64_t calls = 0;                // how many nodes of the graph use it
};

// A part of the graph that the analysis cannot follow; the rest still works.
struct Unknown {
  std::string op;      // "aten::__getitem__"
  std::string source;  // file and line of the model's source, as TorchScript recorded it
  std::string reason;
};

// What one call of a layer produced and cost in one forward.
struct LayerCost {
  // A product that is no layer's: attention, or a weight that the analysis cannot follow.
  static constexpr size_t kNoLayer = static_cast<size_t>(-1);
  size_t layer = kNoLayer;
  std::vector<int64_t> outputShape;
  int64_t multiplyAccumulates = 0;
};

// Which value of which call of a layer to read.
struct TapPoint {
  size_t layer = 0;
  enum class Side { kInput, kOutput } side = Side::kOutput;
};

// What a run left at its taps: one tensor a call, in the order of execution. They are part of the autograd
// graph: retain_grad() them, or build losses on them.
using Taps = std::vector<std::vector<at::Tensor>>;

// An inlined, cleaned copy of a module's forward for one mode, run by libtorch's interpreter (never by the
// profiling executor, which drops gradients at taps from the second run on). The module itself is an explicit
// input, so parameters are shared and the module's own graphs are never edited.
// Thread rule: const members may be called from several threads at once; analysis is done in the constructor.
class Graph {
 public:
  Graph(const torch::jit::Module& module, Mode mode);
  ~Graph();
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;

  const std::vector<Layer>& layers() const;
  const std::vector<Unknown>& unknowns() const;
  // Whether the forward draws random numbers (dropout and the like) in this mode.
  bool usesRandomness() const;

  // The bits of stock PyTorch with the same threads and batch.
  c10::IValue run(std::vector<c10::IValue> inputs) const;
  // To train on: batch norms and poolings are fused with what is around them (fuse.h), and differ by
  // rounding.
  c10::IValue train(std::vector<c10::IValue> inputs) const;
  // As run(), and fills `taps[i]` for points[i].
  c10::IValue run(std::vector<c10::IValue> inputs, const std::vector<TapPoint>& points, Taps& taps) const;
  // The forward in two parts, with `fused` as in train(), else with the bits of run(): `encode` gives the
  // value between them, `head` goes on from it. Both read the module's weights of the moment.
  struct Split {
    std::function<at::Tensor(std::vector<c10::IValue>)> encode;
    std::function<c10::IValue(const at::Tensor& features)> head;
    std::vector<size_t> layers;  // of the encoder
    std::string at;              // the operator right behind the cut
  };
  // Cut behind the layer at `path`; without one before the last pooling and flattening.
  // ERR_MODEL_UNSUPPORTED that says why where it cannot be cut.
  Split split(const std::optional<std::string>& path, bool fused) const;

  // Runs once under no-grad and tells the output size and cost of every layer call and of other products.
  std::vector<LayerCost> cost(std::vector<c10::IValue> inputs) const;

  // The same function with this moment's weights as constants and batch norms folded; empty when the graph
  // does not allow it. No gradient.
  std::function<c10::IValue(std::vector<c10::IValue>)> frozen() const;

  // Whether tracing baked a training flag into the module's code as true; switchable() is then what has to
  // be saved.
  bool hasBakedTraining() const;
  // The graph as it would be installed as a root forward that reads `training` (Model::save).
  std::shared_ptr<torch::jit::Graph> switchable() const;

  // What the graph computes, as text that is the same for the same code wherever it was loaded; constant
  // tensors stand aside, in the order of the text.
  std::string canonicalText(std::vector<at::Tensor>& constants) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace espalier
