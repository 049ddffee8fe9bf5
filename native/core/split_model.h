#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model.h"

namespace espalier {

// A classifier as an encoder, which ends in features, and a head, which makes logits of them.
//
// Lifetime: keeps the model. Thread rule: that of the model.
class SplitModel {
 public:
  SplitModel() = default;
  // Behind the layer `at`; without one before the last pooling and flattening (graph.h, split).
  SplitModel(std::shared_ptr<Model> model, const std::optional<std::string>& at);

  // Features of a batch of images in [0, 1], preprocessing applied.
  at::Tensor encode(const at::Tensor& inputs, Mode mode) const;
  at::Tensor head(const at::Tensor& features, Mode mode) const;

  const std::shared_ptr<Model>& model() const { return model_; }
  // In the order of the model's parameters.
  const std::vector<ParameterInfo>& encoderParameters() const { return encoder_; }
  const std::vector<ParameterInfo>& headParameters() const { return head_; }
  // The operator that reads the features.
  const std::string& cutAt() const { return splits_[0].at; }

 private:
  std::shared_ptr<Model> model_;
  Graph::Split splits_[2];  // by mode
  std::vector<ParameterInfo> encoder_;
  std::vector<ParameterInfo> head_;
};

}  // namespace espalier
