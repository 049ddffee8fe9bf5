#include "core/train/state.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace espalier {

namespace detail {

Value scalarFromDouble(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

double doubleFromScalar(const Value& value) {
  if (!value.isString()) return value.asDouble();
  if (value.asString() == "nan") return std::nan("");
  return value.asString() == "inf" ? HUGE_VAL : -HUGE_VAL;
}

}  // namespace detail

void StateWriter::tensor(const std::string& name, const at::Tensor& value) {
  const at::Tensor plain = value.detach();
  archive_.tensors.emplace_back(name, copy_ ? plain.clone() : plain);
}

void StateWriter::write(at::Tensor& value) {
  archive_.scalars.set(prefix_ + "?", value.defined());
  if (value.defined()) tensor(prefix_, value);
}

void StateWriter::write(ConstantTensor& value) {
  archive_.scalars.set(prefix_ + "?", value.value.defined());
  if (value.value.defined()) archive_.tensors.emplace_back(prefix_, value.value);
}

void StateWriter::write(at::Generator& value) { archive_.tensors.emplace_back(prefix_, value.get_state()); }

void StateWriter::write(std::shared_ptr<Model>& model) {
  archive_.scalars.set(prefix_ + "?", model != nullptr);
  if (!model) return;
  for (const ParameterInfo& parameter : model->parameters())
    tensor(prefix_ + ":" + parameter.path, parameter.tensor);
  for (const ParameterInfo& buffer : model->buffers()) tensor(prefix_ + ":" + buffer.path, buffer.tensor);
}

StateReader::StateReader(const StateArchive& archive, c10::Device device, Origin origin)
    : tensors_(archive.tensors.begin(), archive.tensors.end()),
      scalars_(archive.scalars),
      device_(device),
      mustFit_(origin == Origin::kFile) {}

const at::Tensor& StateReader::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end())
    fail(ErrorCode::kCheckpointInvalid, "expected a tensor named ", name, " in the saved state, found none");
  return found->second;
}

const Value& StateReader::scalar(const std::string& name) const {
  const Value* found = scalars_.find(name);
  if (found == nullptr)
    fail(ErrorCode::kCheckpointInvalid, "expected an entry named ", name, " in the saved state, found none");
  return *found;
}

bool StateReader::present(bool before) const {
  const bool saved = scalar(prefix_ + "?").asBool();
  if (mustFit_ && before && !saved)
    fail(ErrorCode::kCheckpointInvalid, "expected ", prefix_, " in the saved state, found none");
  return saved;
}

size_t StateReader::count(size_t before) const {
  const int64_t count = scalar(prefix_ + "#").asInt();
  if (mustFit_ && count != static_cast<int64_t>(before)) {
    fail(ErrorCode::kCheckpointInvalid, "expected ", before, " items of ", prefix_,
         " in the saved state, found ", count);
  }
  const auto most = static_cast<int64_t>(tensors_.size() + scalars_.asMap().size());
  if (count < 0 || count > most) {
    fail(ErrorCode::kCheckpointInvalid, "expected at most ", most, " items of ", prefix_,
         " in the saved state, found ", count);
  }
  return static_cast<size_t>(count);
}

void StateReader::read(at::Tensor& value) {
  if (!present(value.defined())) {
    value = at::Tensor();
    return;
  }
  const at::Tensor& saved = tensor(prefix_);
  const bool fits =
      value.defined() && value.sizes() == saved.sizes() && value.scalar_type() == saved.scalar_type();
  if (mustFit_ && value.defined() && !fits) {
    fail(ErrorCode::kCheckpointInvalid, "expected ", value.scalar_type(), value.sizes(), " for ", prefix_,
         " in the saved state, found ", saved.scalar_type(), saved.sizes());
  }
  if (fits) {
    const torch::NoGradGuard noGrad;
    value.copy_(saved);
  } else {
    value = saved.to(device_, saved.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
  }
}

void StateReader::read(ConstantTensor& value) {
  value.value = scalar(prefix_ + "?").asBool() ? tensor(prefix_) : at::Tensor();
}

void StateReader::read(at::Generator& value) { value.set_state(tensor(prefix_).cpu()); }

void StateReader::read(std::shared_ptr<Model>& model) {
  if (!present(model != nullptr)) {
    model.reset();
    return;
  }
  if (!model)
    fail(ErrorCode::kCheckpointInvalid, "expected no ", prefix_, " in the saved state, found a model");
  const torch::NoGradGuard noGrad;
  const auto restore = [&](const ParameterInfo& info) {
    const at::Tensor& source = tensor(prefix_ + ":" + info.path);
    if (source.sizes() != info.tensor.sizes()) {
      fail(ErrorCode::kCheckpointInvalid, "expected shape ", info.tensor.sizes(), " for ", info.path,
           " in the saved state, found ", source.sizes());
    }
    info.tensor.copy_(source);
  };
  for (const ParameterInfo& parameter : model->parameters()) restore(parameter);
  for (const ParameterInfo& buffer : model->buffers()) restore(buffer);
}

}  // namespace espalier
