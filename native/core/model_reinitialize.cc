#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include <ATen/core/grad_mode.h>

#include "core/error.h"
#include "core/glob.h"
#include "core/graph/resolve.h"
#include "core/initialize.h"
#include "core/model.h"

namespace espalier {

namespace {

int64_t countGates(LayerKind kind) {
  switch (kind) {
    case LayerKind::kLstm:
    case LayerKind::kLstmCell:
      return 4;
    case LayerKind::kGru:
    case LayerKind::kGruCell:
      return 3;
    default:
      return 1;
  }
}

std::string childPath(const std::string& parent, std::string_view name) {
  return parent.empty() ? std::string(name) : text(parent, ".", name);
}

double inverseRoot(int64_t count) { return count > 0 ? 1 / std::sqrt(static_cast<double>(count)) : 0; }

// Fills one model's parameters and buffers, each once, leaving out what is kept.
class Initializer {
 public:
  Initializer(const Model& model, uint64_t seed, const std::vector<std::string>& keep)
      : model_(model), seed_(seed), keep_(keep) {
    for (const auto* list : {&model.parameters(), &model.buffers()}) {
      for (const ParameterInfo& info : *list) {
        tensors_[info.path] = info.tensor;
        for (const std::string& alias : info.aliases) tensors_[alias] = info.tensor;
        if (isKept(info)) done_.insert(info.tensor.unsafeGetTensorImpl());
      }
    }
    for (const std::string& pattern : keep) requireMatch(pattern);
  }

  void run() {
    const at::NoGradGuard noGrad;
    for (const Mode mode : {Mode::kEval, Mode::kTrain}) {
      for (const Layer& layer : model_.graph(mode).layers()) initialize(layer);
    }
    requireAllDone();
  }

 private:
  bool isKept(const ParameterInfo& info) const {
    for (const std::string& pattern : keep_) {
      if (matchesGlob(pattern, info.path)) return true;
      for (const std::string& alias : info.aliases) {
        if (matchesGlob(pattern, alias)) return true;
      }
    }
    return false;
  }

  void requireMatch(const std::string& pattern) const {
    for (const auto& [path, tensor] : tensors_) {
      if (matchesGlob(pattern, path)) return;
    }
    fail(ErrorCode::kInvalidArgType, "expected a pattern that matches a parameter for keep, received '",
         pattern, "'");
  }

  // The tensor at `path` when it is there and still has its old values.
  const at::Tensor* take(const std::string& path) {
    const auto found = tensors_.find(path);
    if (found == tensors_.end() || !done_.insert(found->second.unsafeGetTensorImpl()).second) return nullptr;
    return &found->second;
  }

  void uniform(const std::string& path, double bound) {
    if (const at::Tensor* tensor = take(path)) fillUniform(*tensor, bound, seed_, path);
  }

  void constant(const std::string& path, double value) {
    if (const at::Tensor* tensor = take(path)) tensor->fill_(value);
  }

  void initialize(const Layer& layer) {
    using enum LayerKind;
    switch (layer.kind) {
      case kConv1d:
      case kConv2d:
      case kConv3d:
      case kConvTranspose:
      case kLinear:
        return initializeProduct(layer);
      case kEmbedding:
        if (const at::Tensor* tensor = take(layer.weightPath)) fillNormal(*tensor, seed_, layer.weightPath);
        return;
      case kBatchNorm:
      case kLayerNorm:
      case kGroupNorm:
      case kInstanceNorm:
        return initializeNorm(layer);
      default: {
        const double bound = inverseRoot(layer.weight.size(0) / countGates(layer.kind));
        for (const std::string& path : layer.parameterPaths) uniform(path, bound);
      }
    }
  }

  // Kaiming uniform with a = sqrt(5), which is U(-1/sqrt(fanIn), 1/sqrt(fanIn)), the bias alike; the packed
  // projection of attention is Xavier uniform, its biases zero.
  void initializeProduct(const Layer& layer) {
    const at::Tensor& weight = layer.weight;
    const bool isLinear = layer.kind == LayerKind::kLinear;
    const int64_t fanIn = isLinear              ? layer.inChannels
                          : weight.size(0) == 0 ? 0
                                                : weight.numel() / weight.size(0);
    if (layer.weightPath.ends_with("in_proj_weight")) {
      uniform(layer.weightPath, std::sqrt(6.0) * inverseRoot(weight.size(0) + weight.size(1)));
      constant(layer.biasPath, 0);
      constant(childPath(layer.path, "out_proj.bias"), 0);
      return;
    }
    for (const std::string& path : layer.parameterPaths) uniform(path, inverseRoot(fanIn));
  }

  void initializeNorm(const Layer& layer) {
    constant(layer.weightPath, 1);
    constant(layer.biasPath, 0);
    constant(childPath(layer.path, "running_mean"), 0);
    constant(childPath(layer.path, "running_var"), 1);
    constant(childPath(layer.path, "num_batches_tracked"), 0);
  }

  // A parameter with its trained values in a model that is called fresh would be a lie.
  void requireAllDone() const {
    std::string left;
    for (const ParameterInfo& parameter : model_.parameters()) {
      if (done_.count(parameter.tensor.unsafeGetTensorImpl()) > 0) continue;
      left += text(left.empty() ? "'" : ", '", parameter.path, "'");
    }
    if (left.empty()) return;
    fail(
        ErrorCode::kModelUnsupported, "no default initialisation is known for the parameters ", left,
        ": they belong to no layer that the model's code shows; name them in keep to leave them as they are");
  }

  const Model& model_;
  uint64_t seed_;
  const std::vector<std::string>& keep_;
  std::unordered_map<std::string, at::Tensor> tensors_;
  std::unordered_set<const c10::TensorImpl*> done_;
};

}  // namespace

std::shared_ptr<Model> Model::reinitialize(uint64_t seed, const std::vector<std::string>& keep) const {
  requireTrainable("reinitialize");
  auto fresh = clone();
  Initializer(*fresh, seed, keep).run();
  return fresh;
}

std::shared_ptr<Model> Model::reinitializeOnly(uint64_t seed, const std::vector<std::string>& fresh) const {
  const std::unordered_set<std::string> paths(fresh.begin(), fresh.end());
  const auto isFresh = [&](const std::string& path) { return paths.count(path) > 0; };
  std::vector<std::string> keep;
  for (const auto* list : {&parameters(), &buffers()}) {
    for (const ParameterInfo& info : *list) {
      if (!isFresh(info.path) && std::none_of(info.aliases.begin(), info.aliases.end(), isFresh))
        keep.push_back(info.path);
    }
  }
  return reinitialize(seed, keep);
}

}  // namespace espalier
