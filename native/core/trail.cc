#include "core/trail.h"

#include <algorithm>
#include <limits>
#include <map>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/convert.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mask.h"
#include "core/safetensors.h"
#include "core/sha256.h"

namespace espalier {

namespace {

constexpr std::string_view kFormat = "espalier-trail/1";
constexpr std::string_view kModelName = "model";

std::string tensorName(size_t snapshot, const std::string& path) { return text(snapshot, "/", path); }
std::string bitsName(size_t snapshot, const std::string& path) { return text(snapshot, "/", path, ":bits"); }

// Eight booleans a byte, the first in the lowest bit.
at::Tensor packBits(const at::Tensor& booleans) {
  const int64_t bytes = (booleans.numel() + 7) / 8;
  at::Tensor padded = torch::zeros({bytes * 8}, at::kByte);
  padded.narrow(0, 0, booleans.numel()).copy_(booleans.reshape({-1}));
  const at::Tensor weights = torch::tensor({1, 2, 4, 8, 16, 32, 64, 128}, at::kByte);
  return (padded.reshape({bytes, 8}) * weights).sum(1, false, at::kByte);
}

at::Tensor unpackBits(const at::Tensor& bytes, int64_t count) {
  const at::Tensor weights = torch::tensor({1, 2, 4, 8, 16, 32, 64, 128}, at::kByte);
  return bytes.unsqueeze(1).bitwise_and(weights).ne(0).reshape({-1}).narrow(0, 0, count);
}

std::vector<ParameterInfo> tensorsOf(const Model& model) {
  std::vector<ParameterInfo> all = model.parameters();
  all.insert(all.end(), model.buffers().begin(), model.buffers().end());
  return all;
}

[[noreturn]] void invalid(std::string_view what, std::string_view expected) {
  fail(ErrorCode::kDataInvalid, "expected ", expected, " in ", what, ", found none");
}

const std::string& metadataOf(const SafetensorsFile& file, std::string_view key, std::string_view what) {
  const Value* found = file.metadata.find(key);
  if (found == nullptr || !found->isString()) invalid(what, text("an entry ", key));
  return found->asString();
}

}  // namespace

PackedTensor PackedTensor::dense(const at::Tensor& tensor) {
  return {{}, {tensor.detach().cpu().contiguous().clone()}};
}

PackedTensor PackedTensor::sparse(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().cpu().reshape({-1});
  const at::Tensor kept = flat.ne(0);
  return {{packBits(kept)}, {flat.masked_select(kept)}};
}

bool PackedTensor::fits(const at::Tensor& target) const {
  if (values.value.scalar_type() != target.scalar_type()) return false;
  if (!bits.value.defined()) return values.value.sizes() == target.sizes();
  if (bits.value.scalar_type() != at::kByte || bits.value.numel() != (target.numel() + 7) / 8) return false;
  return unpackBits(bits.value, target.numel()).sum().item<int64_t>() == values.value.numel();
}

void PackedTensor::unpackInto(const at::Tensor& target) const {
  const torch::NoGradGuard noGrad;
  if (!bits.value.defined()) {
    target.copy_(values.value);
    return;
  }
  at::Tensor flat = torch::zeros({target.numel()}, values.value.options());
  flat.masked_scatter_(unpackBits(bits.value, target.numel()), values.value);
  target.copy_(flat.reshape(target.sizes()));
}

TrailSnapshot TrailSnapshot::of(const Model& model, const TrailPoint& point,
                                const std::vector<std::string>& pruned) {
  TrailSnapshot snapshot;
  snapshot.point = point;
  for (const ParameterInfo& info : tensorsOf(model)) {
    const bool isPruned = std::find(pruned.begin(), pruned.end(), info.path) != pruned.end();
    snapshot.tensors.push_back(isPruned ? PackedTensor::sparse(info.tensor)
                                        : PackedTensor::dense(info.tensor));
  }
  return snapshot;
}

Trail::Trail(std::shared_ptr<Model> model, std::vector<std::string> pruned, double accuracy,
             std::vector<TrailSnapshot> snapshots)
    : model_(std::move(model)),
      pruned_(std::move(pruned)),
      accuracy_(accuracy),
      snapshots_(std::move(snapshots)) {}

Value Trail::describe() const {
  // Not of the file: an archive read back and written again may differ in its notes for debuggers.
  Sha256 hash;
  hash.update(model_->digest());
  Value points = Value::List{};
  for (const TrailSnapshot& snapshot : snapshots_) {
    points.push(toValue(snapshot.point));
    for (const PackedTensor& packed : snapshot.tensors) {
      for (const at::Tensor& part : {packed.bits.value, packed.values.value}) {
        if (part.defined()) hash.update(part.const_data_ptr(), part.nbytes());
      }
    }
  }
  hash.update(toJson(points));
  return Value::Map{{"digest", hash.hex()}, {"accuracy", accuracy_}, {"points", std::move(points)}};
}

std::shared_ptr<Model> Trail::modelAt(const TrailSnapshot& snapshot) const {
  const std::shared_ptr<Model> model = model_->clone();
  const std::vector<ParameterInfo> tensors = tensorsOf(*model);
  for (size_t i = 0; i < tensors.size(); ++i) snapshot.tensors[i].unpackInto(tensors[i].tensor);
  std::vector<Mask::Entry> entries;
  for (const ParameterInfo& parameter : model->parameters()) {
    if (std::find(pruned_.begin(), pruned_.end(), parameter.path) != pruned_.end())
      entries.push_back({parameter.path, parameter.tensor.detach().ne(0).cpu()});
  }
  prune(*model, Mask(std::move(entries)));
  return model;
}

std::shared_ptr<Model> Trail::pickDensity(double density) const {
  const TrailSnapshot* best = nullptr;
  double sparsest = 1;
  for (const TrailSnapshot& snapshot : snapshots_) {
    sparsest = std::min(sparsest, snapshot.point.density);
    if (snapshot.point.density > density) continue;
    if (best == nullptr || snapshot.point.density > best->point.density) best = &snapshot;
  }
  if (best == nullptr) {
    fail(ErrorCode::kTargetUnreachable, "expected a snapshot with a density of at most ", density,
         ", found none below ", sparsest, ": ask for more, or prune longer");
  }
  return modelAt(*best);
}

std::shared_ptr<Model> Trail::pickAccuracyDrop(double drop) const {
  const TrailSnapshot* best = nullptr;
  double closest = 1;
  for (const TrailSnapshot& snapshot : snapshots_) {
    const double lost = accuracy_ - snapshot.point.accuracy;
    closest = std::min(closest, lost);
    // A difference of two fractions is not exact: a drop asked for as 0.01 must find one of 0.01.
    if (lost > drop + 1e-9) continue;
    if (best == nullptr || snapshot.point.density < best->point.density) best = &snapshot;
  }
  if (best == nullptr) {
    fail(ErrorCode::kTargetUnreachable, "expected a snapshot with an accuracy drop of at most ", drop,
         ", found none below ", closest, ": allow more, or prune with a smaller lambda");
  }
  return modelAt(*best);
}

void Trail::writeTo(const std::function<void(std::string_view)>& sink) const {
  const std::string bytes = model_->saveBytes(ManifestKind::kFull);
  const at::Tensor model = torch::empty({static_cast<int64_t>(bytes.size())}, at::kByte);
  std::copy(bytes.begin(), bytes.end(), static_cast<char*>(model.mutable_data_ptr()));
  NamedTensors tensors = {{std::string(kModelName), model}};
  const std::vector<ParameterInfo> infos = tensorsOf(*model_);
  Value points = Value::List{};
  for (size_t i = 0; i < snapshots_.size(); ++i) {
    points.push(toValue(snapshots_[i].point));
    for (size_t j = 0; j < infos.size(); ++j) {
      const PackedTensor& packed = snapshots_[i].tensors[j];
      if (packed.bits.value.defined()) tensors.emplace_back(bitsName(i, infos[j].path), packed.bits.value);
      tensors.emplace_back(tensorName(i, infos[j].path), packed.values.value);
    }
  }
  const Value metadata = Value::Map{{"format", kFormat},
                                    {"accuracy", toJson(Value(accuracy_))},
                                    {"pruned", toJson(toValue(pruned_))},
                                    {"points", toJson(points)}};
  writeSafetensors(tensors, metadata, sink);
}

std::string Trail::saveBytes() const {
  std::string bytes;
  writeTo([&](std::string_view piece) { bytes += piece; });
  return bytes;
}

void Trail::save(const std::string& path) const { writeFileAtomically(path, saveBytes()); }

std::shared_ptr<Trail> Trail::fromBytes(std::string_view bytes, std::string_view what, bool trust) {
  const SafetensorsFile file = readSafetensors(bytes, what);
  const Value* format = file.metadata.find("format");
  if (format == nullptr || !format->isString() || format->asString() != kFormat) {
    fail(ErrorCode::kDataInvalid, "expected a trail (", kFormat, ") in ", what,
         ", found another safetensors file");
  }
  const std::map<std::string, at::Tensor> tensors(file.tensors.begin(), file.tensors.end());
  const auto find = [&](const std::string& name) -> const at::Tensor& {
    const auto found = tensors.find(name);
    if (found == tensors.end()) invalid(what, text("a tensor ", name));
    return found->second;
  };
  const at::Tensor& model = find(std::string(kModelName));
  const auto base = Model::fromBytes({static_cast<const char*>(model.const_data_ptr()), model.nbytes()},
                                     text("the model in ", what), trust);
  std::vector<std::string> pruned;
  fromValue(pruned, parseJson(metadataOf(file, "pruned", what), what), "pruned");
  double accuracy = 0;
  fromValue(accuracy, parseJson(metadataOf(file, "accuracy", what), what), "accuracy");
  std::vector<TrailPoint> points;
  fromValue(points, parseJson(metadataOf(file, "points", what), what), "points");
  std::vector<TrailSnapshot> snapshots;
  for (size_t i = 0; i < points.size(); ++i) {
    TrailSnapshot snapshot{points[i], {}};
    for (const ParameterInfo& info : tensorsOf(*base)) {
      const auto bits = tensors.find(bitsName(i, info.path));
      const PackedTensor packed = {{bits == tensors.end() ? at::Tensor() : bits->second},
                                   {find(tensorName(i, info.path))}};
      if (!packed.fits(info.tensor)) invalid(what, text("values of the size of ", info.path));
      snapshot.tensors.push_back(packed);
    }
    snapshots.push_back(std::move(snapshot));
  }
  return std::make_shared<Trail>(base, std::move(pruned), accuracy, std::move(snapshots));
}

std::shared_ptr<Trail> Trail::load(const std::string& path) {
  return fromBytes(readFile(path, std::numeric_limits<uint64_t>::max()), path);
}

}  // namespace espalier
