#include "core/train/guard.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/convert.h"
#include "kernels/ops.h"

namespace espalier {

namespace {
// By type, as the kernel takes them; what is not side by side in memory is copied.
kernels::Tensors dense(const std::vector<at::Tensor>& gradients, at::ScalarType type) {
  kernels::Tensors chosen;
  for (const at::Tensor& gradient : gradients) {
    if (gradient.scalar_type() != type) continue;
    chosen.push_back(gradient.is_non_overlapping_and_dense() ? gradient : gradient.contiguous());
  }
  return chosen;
}
}  // namespace

DivergenceGuard::DivergenceGuard(c10::Device device) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  bad_ = torch::zeros({1}, options);
  overflowed_ = torch::zeros({1}, options);
  skip_ = torch::zeros({1}, options);
}

void DivergenceGuard::watch(const at::Tensor& loss, const std::vector<at::Tensor>& gradients,
                            bool gradientsMayOverflow) {
  const torch::NoGradGuard noGrad;
  bad_ = at::maximum(bad_, loss.detach().isfinite().logical_not().to(at::kFloat).reshape({1}));
  const at::Tensor& flag = gradientsMayOverflow ? overflowed_ : bad_;
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    kernels::raiseIfNotFinite(flag, dense(gradients, type));
  }
  skip_ = at::maximum(bad_, overflowed_);
}

void DivergenceGuard::nextStep() {
  overflowed_ = torch::zeros_like(overflowed_);
  skip_ = bad_;
}

bool DivergenceGuard::raised() const { return bad_.item<float>() != 0; }

void DivergenceGuard::reset() {
  bad_ = torch::zeros_like(bad_);
  nextStep();
}

WeightWatch::WeightWatch(const std::vector<std::shared_ptr<Model>>& models) : models_(models) {
  for (const auto& [path, tensor] : watched()) {
    if (!tensor.isfinite().all().item<bool>()) leftOut_.insert(tensor.const_data_ptr());
  }
}

std::vector<WeightWatch::Named> WeightWatch::watched() const {
  std::vector<Named> all;
  for (const auto& model : models_) {
    if (!model) continue;
    for (const auto* list : {&model->parameters(), &model->buffers()}) {
      for (const ParameterInfo& info : *list) {
        if (!info.tensor.is_floating_point() || leftOut_.count(info.tensor.const_data_ptr()) > 0) continue;
        all.emplace_back(info.path, info.tensor.detach());
      }
    }
  }
  return all;
}

std::string WeightWatch::firstNotFinite() const {
  const torch::NoGradGuard noGrad;
  const std::vector<Named> all = watched();
  std::vector<at::Tensor> tensors;
  for (const auto& [path, tensor] : all) tensors.push_back(tensor);
  if (tensors.empty()) return {};
  const at::Tensor flag =
      torch::zeros({1}, at::TensorOptions().dtype(at::kFloat).device(tensors.front().device()));
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    kernels::raiseIfNotFinite(flag, dense(tensors, type));
  }
  if (flag.item<float>() == 0) return {};
  for (const auto& [path, tensor] : all) {
    if (!tensor.isfinite().all().item<bool>()) return path;
  }
  return {};
}

at::Tensor areAnswers(const at::Tensor& logits) { return at::logsumexp(logits, {1}).isfinite(); }

static Error describeNotFinite(const Model& model, const at::Tensor& inputs,
                               const std::vector<int64_t>& samples) {
  const std::vector<int64_t> named(
      samples.begin(), samples.begin() + static_cast<int64_t>(std::min(samples.size(), kMaxNamedSamples)));
  Value details = Value::Map{{"samples", toValue(named)}};
  std::string message = text("expected numbers as the model's answers, found NaN or infinity for ",
                             samples.size(), " samples:");
  for (const int64_t sample : named) message += text(" ", sample);
  if (named.size() < samples.size()) message += " ...";
  const std::string layer = firstNonFiniteLayer(model, inputs, Mode::kEval);
  if (!layer.empty()) {
    message += text("; the first layer at fault is ", layer);
    details.set("layer", layer);
  }
  return {ErrorCode::kModelRun, message + "; look at its weights and at those samples", std::move(details)};
}

NotFinite::NotFinite(const Model& model, at::Tensor inputs, const std::vector<int64_t>& samples)
    : Error(describeNotFinite(model, inputs, samples)), model_(&model), inputs_(std::move(inputs)) {}

bool NotFinite::isAbout(const std::vector<std::shared_ptr<Model>>& models) const {
  return std::any_of(models.begin(), models.end(),
                     [this](const std::shared_ptr<Model>& model) { return model.get() == model_; });
}

bool NotFinite::holds() const {
  const torch::NoGradGuard noGrad;
  return !areAnswers(model_->logits(inputs_, Mode::kEval).to(at::kFloat)).all().item<bool>();
}

std::string firstNonFiniteLayer(const Model& model, const at::Tensor& inputs, Mode mode) {
  const torch::NoGradGuard noGrad;
  const std::vector<Layer>& layers = model.graph(mode).layers();
  std::vector<TapPoint> points;
  for (size_t i = 0; i < layers.size(); ++i) points.push_back({i, TapPoint::Side::kOutput});
  Taps taps;
  model.logits(inputs, mode, points, taps);
  for (size_t i = 0; i < layers.size(); ++i) {
    for (const at::Tensor& output : taps[i]) {
      // A weight of the root module has no other name than its own.
      if (!output.isfinite().all().item<bool>()) {
        return layers[i].path.empty() ? layers[i].weightPath : layers[i].path;
      }
    }
  }
  return {};
}

}  // namespace espalier
