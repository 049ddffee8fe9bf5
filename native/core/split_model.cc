#include "core/split_model.h"

#include <algorithm>
#include <set>

namespace espalier {

SplitModel::SplitModel(std::shared_ptr<Model> model, const std::optional<std::string>& at)
    : model_(std::move(model)) {
  for (const Mode mode : {Mode::kEval, Mode::kTrain}) {
    splits_[static_cast<size_t>(mode)] = model_->graph(mode).split(at);
  }
  const std::vector<size_t>& inside = splits_[0].layers;
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
  return splits_[static_cast<size_t>(mode)].encode({model_->preprocess(inputs)});
}

at::Tensor SplitModel::head(const at::Tensor& features, Mode mode) const {
  return splits_[static_cast<size_t>(mode)].head(features).toTensor();
}

}  // namespace espalier
