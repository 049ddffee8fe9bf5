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

  // Features of a batch of images in [0, 1], preprocessing applied. In evaluation both have the bits of the
  // whole.
  at::Tensor encode(const at::Tensor& inputs, Mode mode) const;
  at::Tensor head(const at::Tensor& features, Mode mode) const;
  // The same to train on, fused in either mode (Model::trainingLogits).
  at::Tensor trainingFeatures(const at::Tensor& inputs, Mode mode) const;
  at::Tensor trainingHead(const at::Tensor& features, Mode mode) const;

  const std::shared_ptr<Model>& model() const { return model_; }
  // In the order of the model's parameters.
  const std::vector<ParameterInfo>& encoderParameters() const { return encoder_; }
  const std::vector<ParameterInfo>& headParameters() const { return head_; }
  // The operator that reads the features.
  const std::string& cutAt() const { return plain_.at; }

 private:
  const Graph::Split& fused(Mode mode) const { return fused_[static_cast<size_t>(mode)]; }

  std::shared_ptr<Model> model_;
  Graph::Split plain_;     // in evaluation
  Graph::Split fused_[2];  // by mode
  std::vector<ParameterInfo> encoder_;
  std::vector<ParameterInfo> head_;
};

}  // namespace espalier
