#include "core/model.h"

#include <set>
#include <unordered_map>

#include <ATen/core/grad_mode.h>

#include "core/convert.h"
#include "core/error.h"
#include "core/graph/failure.h"
#include "core/sha256.h"

namespace espalier {

namespace {

// Each tensor once, under the first of its paths.
template <class Named>
std::vector<ParameterInfo> collect(const Named& list) {
  std::vector<ParameterInfo> infos;
  std::unordered_map<const c10::TensorImpl*, size_t> index;
  for (const auto& item : list) {
    if (!item.value.defined()) continue;
    const auto [known, isNew] = index.try_emplace(item.value.unsafeGetTensorImpl(), infos.size());
    if (isNew) {
      infos.push_back({item.name, {}, item.value});
    } else {
      infos[known->second].aliases.push_back(item.name);
    }
  }
  return infos;
}

Preprocessing readPreprocessing(const Value& manifest) {
  Preprocessing preprocessing;
  const Value* entry = manifest.find("preprocessing");
  if (entry == nullptr || entry->isNull()) return preprocessing;
  fromValue(preprocessing, *entry, "preprocessing");
  const size_t means = preprocessing.mean.size();
  const size_t stds = preprocessing.std.size();
  if (means > 0 && stds > 0 && means != stds) {
    fail(ErrorCode::kInvalidArgType,
         "expected as many numbers for preprocessing.std as for preprocessing.mean (", means, "), received ",
         stds);
  }
  return preprocessing;
}

at::Tensor perChannel(const std::vector<double>& values, c10::Device device) {
  if (values.empty()) return {};
  return at::tensor(values, at::kFloat).view({1, -1, 1, 1}).to(device);
}

// A deep copy whose parameters are leaves again: torch's own copies them through autograd.
torch::jit::Module copyModule(const torch::jit::Module& module, std::optional<c10::Device> device) {
  const at::NoGradGuard noGrad;
  torch::jit::Module copy = module.deepcopy(device);
  const auto sources = module.named_attributes();
  auto target = copy.named_attributes().begin();
  for (const auto& source : sources) {
    const auto attribute = *target;
    ++target;
    if (!source.value.isTensor() || !source.value.toTensor().defined()) continue;
    const at::Tensor tensor = attribute.value.toTensor();
    tensor.set_requires_grad(source.value.toTensor().requires_grad());
  }
  return copy;
}

std::string shapeText(const at::Tensor& tensor) {
  std::string out = "[";
  for (int64_t i = 0; i < tensor.dim(); ++i) out += text(i == 0 ? "" : ", ", tensor.size(i));
  return out + "]";
}

void hashTensor(Sha256& hash, std::string_view name, const at::Tensor& tensor) {
  hash.update(text(name, " ", c10::toString(tensor.scalar_type()), " ", shapeText(tensor), "\n"));
  const at::Tensor bytes = tensor.detach().to(c10::kCPU).contiguous();
  hash.update(bytes.const_data_ptr(), bytes.nbytes());
}

}  // namespace

Model::Model(torch::jit::Module module, Value manifest)
    : module_(std::move(module)),
      manifest_(std::move(manifest)),
      preprocessing_(readPreprocessing(manifest_)) {
  mean_ = perChannel(preprocessing_.mean, device());
  std_ = perChannel(preprocessing_.std, device());
}

std::shared_ptr<Model> Model::fromModule(torch::jit::Module module, Value manifest) {
  return std::shared_ptr<Model>(new Model(std::move(module), std::move(manifest)));
}

Value Model::describe() const {
  Value out(Value::Map{{"digest", digest()}});
  if (const Value* architecture = manifest_.find("architecture")) out.set("architecture", *architecture);
  return out;
}

std::shared_ptr<Model> Model::copied(std::optional<c10::Device> device) const {
  auto copy = fromModule(copyModule(module_, device), manifest_);
  copy->trusted_ = trusted_;
  return copy;
}

std::shared_ptr<Model> Model::clone() const { return copied({}); }

std::shared_ptr<Model> Model::to(c10::Device device) const {
  try {
    return copied(device);
  } catch (...) {
    failFromTorch(ErrorCode::kDeviceUnavailable, text("the model cannot be moved to ", device.str()));
  }
}

c10::Device Model::device() const {
  for (const ParameterInfo& parameter : parameters()) return parameter.tensor.device();
  for (const ParameterInfo& buffer : buffers()) return buffer.tensor.device();
  return c10::kCPU;
}

const Graph& Model::graph(Mode mode) const {
  const std::lock_guard lock(mutex_);
  auto& graph = graphs_[mode == Mode::kTrain ? 1 : 0];
  if (!graph) graph = std::make_unique<Graph>(module_, mode);
  return *graph;
}

const std::vector<ParameterInfo>& Model::parameters() const {
  const std::lock_guard lock(mutex_);
  if (!parameters_) parameters_ = collect(module_.named_parameters());
  return *parameters_;
}

const std::vector<ParameterInfo>& Model::buffers() const {
  const std::lock_guard lock(mutex_);
  if (!buffers_) buffers_ = collect(module_.named_buffers());
  return *buffers_;
}

std::vector<at::Tensor> Model::weights() const {
  std::vector<at::Tensor> tensors;
  for (const auto* list : {&parameters(), &buffers()}) {
    for (const ParameterInfo& info : *list) tensors.push_back(info.tensor.detach());
  }
  return tensors;
}

void Model::requireTrainable(std::string_view method) const {
  if (!parameters().empty()) return;
  bool hasConstantWeights = false;
  for (const Layer& layer : layers()) hasConstantWeights = hasConstantWeights || layer.weightPath.empty();
  fail(ErrorCode::kModelUnsupported, method, ": expected a model with parameters, found none",
       hasConstantWeights ? ": it was frozen, its weights are constants of its code; export it again without "
                            "torch.jit.freeze"
                          : " in its file");
}

c10::IValue Model::forward(std::vector<c10::IValue> inputs) const {
  const at::NoGradGuard noGrad;
  return graph(Mode::kEval).run(std::move(inputs));
}

int64_t Model::bytes() const {
  std::set<const void*> seen;
  int64_t bytes = 0;
  for (const auto* list : {&parameters(), &buffers()}) {
    for (const ParameterInfo& info : *list) {
      if (!info.tensor.has_storage()) continue;
      if (!seen.insert(info.tensor.storage().unsafeGetStorageImpl()).second) continue;
      bytes += static_cast<int64_t>(info.tensor.storage().nbytes());
    }
  }
  return bytes;
}

std::string Model::digest() const {
  Sha256 hash;
  for (const auto* list : {&parameters(), &buffers()}) {
    for (const ParameterInfo& info : *list) {
      hashTensor(hash, info.path, info.tensor);
      for (const std::string& alias : info.aliases) hash.update(text("= ", alias, "\n"));
    }
  }
  for (const Mode mode : {Mode::kEval, Mode::kTrain}) {
    std::vector<at::Tensor> constants;
    hash.update(graph(mode).canonicalText(constants));
    for (const at::Tensor& constant : constants) hashTensor(hash, "constant", constant);
  }
  return hash.hex();
}

}  // namespace espalier
