#include "core/split_model.h"

#include <algorithm>
#include <set>

namespace espalier {

SplitModel::SplitModel(std::shared_ptr<Model> model, const std::optional<std::string>& at)
    : model_(std::move(model)) {
  plain_ = model_->graph(Mode::kEval).split(at, /*fused=*/false);
  for (const Mode mode : {Mode::kEval, Mode::kTrain})
    fused_[static_cast<size_t>(mode)] = model_->graph(mode).split(at, /*fused=*/true);
  const std::vector<size_t>& inside = plain_.layers;
  std::set<std::string> ofHead;
  const std::vector<Layer>& layers = model_->layers();
  for (size_t i = 0; i < layers.size(); ++i) {
    if (std::find(inside.begin(), inside.end(), i) != inside.end()) continue;
    ofHead.insert(layers[i].parameterPaths.begin(), layers[i].parameterPaths.end());
  }
  for (const ParameterInfo& info : model_->parameters()) {
    (ofHead.count(info.path) > 0 ? head_ : encoder_).push_back(info);
  }
}

at::Tensor SplitModel::encode(const at::Tensor& inputs, Mode mode) const {
  return (mode == Mode::kEval ? plain_ : fused(mode)).encode({model_->preprocess(inputs)});
}

at::Tensor SplitModel::head(const at::Tensor& features, Mode mode) const {
  return (mode == Mode::kEval ? plain_ : fused(mode)).head(features).toTensor();
}

at::Tensor SplitModel::trainingFeatures(const at::Tensor& inputs, Mode mode) const {
  return fused(mode).encode({model_->preprocess(inputs)});
}

at::Tensor SplitModel::trainingHead(const at::Tensor& features, Mode mode) const {
  return fused(mode).head(features).toTensor();
}

}  // namespace espalier
