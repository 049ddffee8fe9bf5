#include "core/train/diagnosis.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "core/convert.h"

namespace espalier {

namespace {

std::vector<int64_t> nonFiniteRows(const at::Tensor& values) {
  const at::Tensor bad = values.detach().reshape({values.size(0), -1}).isfinite().all(1).logical_not();
  const at::Tensor rows = bad.nonzero().reshape({-1}).cpu();
  return {rows.const_data_ptr<int64_t>(), rows.const_data_ptr<int64_t>() + rows.numel()};
}

bool allFinite(const at::Tensor& values) { return values.detach().isfinite().all().item<bool>(); }

}  // namespace

void Diagnosis::beginStep(const std::vector<Batch>& batches) {
  batches_ = batches;
  finding_ = {};
}

void Diagnosis::seeForward(Model& model, const at::Tensor& inputs, Mode mode, const at::Tensor& logits) {
  if (!finding_.what.empty()) return;
  std::vector<int64_t> rows = nonFiniteRows(inputs.is_floating_point() ? inputs : inputs.to(at::kFloat));
  if (!rows.empty()) {
    finding_.what = "the input is";
    nameSamples(inputs, rows);
    return;
  }
  if (allFinite(logits)) return;
  finding_.what = "the network's output is";
  finding_.layer = firstNonFiniteLayer(model, inputs, mode);
  // In eval mode no sample can spoil another one's row.
  const torch::NoGradGuard noGrad;
  rows = nonFiniteRows(model.logits(inputs, Mode::kEval));
  if (static_cast<int64_t>(rows.size()) < inputs.size(0)) nameSamples(inputs, rows);
}

void Diagnosis::seeBackward(const at::Tensor& loss, const std::vector<at::Tensor>& parameters,
                            const at::Tensor& perSample) {
  if (!finding_.what.empty()) return;
  if (!allFinite(loss)) {
    finding_.what = "the loss is";
    if (perSample.defined() && !batches_.empty() && perSample.size(0) == batches_[0].indices.size(0)) {
      nameSamples(batches_[0].inputs, nonFiniteRows(perSample));
    }
    return;
  }
  for (const at::Tensor& parameter : parameters) {
    if (!parameter.grad().defined() || allFinite(parameter.grad())) continue;
    finding_.what = "a gradient is";
    finding_.layer = pathOf(parameter);
    return;
  }
}

void Diagnosis::seeAfter(const std::string& path, const Error* answers) {
  if (!finding_.what.empty()) return;
  if (!path.empty()) {
    finding_.what = "what the step left is";
    finding_.layer = path;
  } else if (answers != nullptr) {
    finding_.what = "what the model answers after it is";
    if (const Value* layer = answers->details().find("layer")) finding_.layer = layer->asString();
  }
}

std::string Diagnosis::pathOf(const at::Tensor& parameter) const {
  for (const auto& model : models_) {
    for (const ParameterInfo& info : model->parameters()) {
      if (info.tensor.is_same(parameter)) return info.path;
    }
  }
  return {};
}

void Diagnosis::nameSamples(const at::Tensor& inputs, const std::vector<int64_t>& rows) {
  for (const Batch& batch : batches_) {
    if (!batch.inputs.is_same(inputs)) continue;
    for (const int64_t row : rows) {
      if (finding_.samples.size() < kMaxNamedSamples)
        finding_.samples.push_back(batch.indices[row].item<int64_t>());
    }
  }
}

Error Diagnosis::error(int64_t step, const std::string& phase, const std::string& checkpoint) const {
  Value details = Value::Map{{"step", step}};
  std::string message = text("training diverged at step ", step, " of phase ", phase);
  if (!finding_.what.empty()) message += text(": ", finding_.what, " not finite");
  if (!finding_.layer.empty()) {
    message += text(", first at layer ", finding_.layer);
    details.set("layer", finding_.layer);
  }
  for (size_t i = 0; i < finding_.samples.size(); ++i)
    message += text(i == 0 ? ", with samples " : ", ", finding_.samples[i]);
  if (!finding_.samples.empty()) details.set("samples", toValue(finding_.samples));
  if (!checkpoint.empty()) details.set("checkpoint", checkpoint);
  if (!models_.empty()) details.set("model", HandlePtr(models_.front()));
  // Of one value there is no variance; torch divides zero by zero.
  message +=
      finding_.layer.ends_with("running_var")
          ? "; a batch norm saw one value of each channel: leave no batch of one sample, or use larger images"
          : "; lower the learning rate, clip gradients, or look at those samples";
  return {ErrorCode::kDiverged, std::move(message), std::move(details)};
}

}  // namespace espalier
