#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <torch/script.h>

#include "core/fields.h"
#include "core/graph/graph.h"
#include "core/value.h"

namespace espalier {

// What an input image goes through before the graph sees it; images are in [0, 1]. Belongs to the model, is
// kept in its manifest and applied to every domain alike.
struct Preprocessing {
  std::vector<double> mean;     // per channel; empty: none
  std::vector<double> std;      // per channel; empty: none
  std::optional<int64_t> size;  // pixels: inputs of another size are resized bilinearly

  bool empty() const { return mean.empty() && std.empty() && !size; }
  template <class V>
  void fields(V&& visit) {
    visit("mean", mean);
    visit("std", std, {.min = 0, .exclusiveMin = true});
    visit("size", size, {.min = 1});
  }
};

enum class ManifestKind { kPublic, kFull, kNone };
template <>
struct EnumNames<ManifestKind> {
  static constexpr EnumName<ManifestKind> kNames[] = {
      {ManifestKind::kPublic, "public"}, {ManifestKind::kFull, "full"}, {ManifestKind::kNone, "none"}};
};

struct LoadOptions {
  c10::Device device = c10::kCPU;
  bool trust = false;  // skips the operator scan, never the archive check
  std::optional<Preprocessing> preprocessing;
};

struct ParameterInfo {
  std::string path;
  std::vector<std::string> aliases;
  at::Tensor tensor;
};

// A TorchScript module with its manifest. A method never changes its caller's model: it clones, and works on
// the clone, which nobody else holds.
//
// Lifetime: held by shared_ptr; a running job keeps what it uses. Thread rule: concurrent const use is safe;
// whoever writes weights or buffers must be the only user (a method's own clone).
class Model : public Handle, public std::enable_shared_from_this<Model> {
 public:
  static constexpr std::string_view kKind = "Model";
  std::string_view kind() const override { return kKind; }
  // { digest, architecture? }
  Value describe() const override;

  // ERR_IO, ERR_MODEL_LOAD, ERR_MODEL_UNSAFE, ERR_MODEL_UNSUPPORTED. Nothing of the file runs before the
  // archive is checked and its operators are scanned.
  static std::shared_ptr<Model> load(const std::string& path, const LoadOptions& options = {});
  // From an archive in memory, checked as a file is; `name` stands in messages.
  static std::shared_ptr<Model> fromBytes(std::string_view bytes,
                                          const std::string& name = "the model in memory",
                                          bool trust = false);
  static std::shared_ptr<Model> fromModule(torch::jit::Module module, Value manifest = Value::Map{});

  // A deep copy: leaf parameters, ties and requires_grad kept.
  std::shared_ptr<Model> clone() const;
  std::shared_ptr<Model> to(c10::Device device) const;
  // Fresh weights, PyTorch's default per layer kind; `keep`: glob patterns of parameter paths left as they
  // are.
  std::shared_ptr<Model> reinitialize(uint64_t seed, const std::vector<std::string>& keep = {}) const;
  // The same for the parameters and buffers at these paths alone; a tied one goes by any of its names.
  std::shared_ptr<Model> reinitializeOnly(uint64_t seed, const std::vector<std::string>& fresh) const;

  // Written beside and renamed. Submodules' own training flags stand in the file as they were loaded; a model
  // whose structure did not change keeps its own code. Without `manifest` a model whose manifest says
  // `protected` is saved with the public one and the full one beside it, in `<path>.manifest.json`; every
  // other model with the full one.
  void save(const std::string& path, std::optional<ManifestKind> manifest = {}) const;
  // The same bytes for the same model.
  std::string saveBytes(ManifestKind manifest) const;

  c10::Device device() const;
  const torch::jit::Module& module() const { return module_; }
  // Analysed on first use, kept afterwards.
  const Graph& graph(Mode mode) const;
  const std::vector<Layer>& layers() const { return graph(Mode::kEval).layers(); }
  // Every parameter once (a tied one with its aliases), in the module's order.
  const std::vector<ParameterInfo>& parameters() const;
  const std::vector<ParameterInfo>& buffers() const;
  // The tensors of both, parameters first, detached: in the same order for every copy of a model.
  std::vector<at::Tensor> weights() const;
  // Refuses a frozen module (parameters turned into constants) by name: ERR_MODEL_UNSUPPORTED.
  void requireTrainable(std::string_view method) const;

  // Any inputs, eval graph, no gradient.
  c10::IValue forward(std::vector<c10::IValue> inputs) const;
  // A batch of images in [0, 1] (or of features, or of token ids) -> logits [N, classes], preprocessing
  // applied, differentiable unless the caller holds a NoGradGuard. ERR_MODEL_RUN when the output is not one
  // float matrix.
  at::Tensor logits(const at::Tensor& inputs, Mode mode) const;
  // The same to train on: layers are fused, which is faster and differs by rounding.
  at::Tensor trainingLogits(const at::Tensor& inputs, Mode mode) const;
  at::Tensor logits(const at::Tensor& inputs, Mode mode, const std::vector<TapPoint>& points,
                    Taps& taps) const;

  // What the graph gets for a batch: the preprocessing applied, floats in the model's precision.
  at::Tensor preprocess(const at::Tensor& inputs) const;

  // A frozen copy for evaluation with folded batch norm; the plain graph when it cannot be made. `faster`
  // tells which. Not saved.
  struct Frozen {
    std::function<at::Tensor(const at::Tensor&)> logits;
    bool faster = false;
  };
  Frozen frozen() const;

  // { format, architecture?, preprocessing?, sparsity?, methods: [...], ... }
  const Value& manifest() const { return manifest_; }
  Value& mutableManifest() { return manifest_; }
  // The manifest as a file of this kind holds it.
  Value manifest(ManifestKind kind) const;
  const Preprocessing& preprocessing() const { return preprocessing_; }
  // Whether it, or what it was made from, was loaded with `trust: true`: what it computes was not asked.
  bool trusted() const { return trusted_; }

  // Total bytes of parameters and buffers, each storage once.
  int64_t bytes() const;
  // SHA-256 over names, dtypes, shapes and bytes of parameters and buffers, and the code: hex.
  std::string digest() const;

 private:
  Model(torch::jit::Module module, Value manifest);
  // Of the same maker, on the same terms.
  std::shared_ptr<Model> copied(std::optional<c10::Device> device) const;

  torch::jit::Module module_;
  Value manifest_ = Value::Map{};
  Preprocessing preprocessing_;
  bool trusted_ = false;
  at::Tensor mean_;  // [1, C, 1, 1] of the preprocessing, on the model's device; undefined: none
  at::Tensor std_;
  mutable std::mutex mutex_;  // guards the lazily built members below
  mutable std::unique_ptr<Graph> graphs_[2];
  mutable std::optional<std::vector<ParameterInfo>> parameters_;
  mutable std::optional<std::vector<ParameterInfo>> buffers_;
};

}  // namespace espalier
