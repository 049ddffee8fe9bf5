#include "core/mask.h"

#include <limits>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/file.h"
#include "core/safetensors.h"
#include "core/sha256.h"

namespace espalier {

namespace {
constexpr std::string_view kFormat = "espalier-mask/1";

const ParameterInfo& findWeight(const Model& model, const Mask::Entry& entry) {
  for (const ParameterInfo& parameter : model.parameters()) {
    const bool same =
        parameter.path == entry.path ||
        std::find(parameter.aliases.begin(), parameter.aliases.end(), entry.path) != parameter.aliases.end();
    if (!same) continue;
    if (parameter.tensor.sizes() != entry.kept.sizes()) {
      fail(ErrorCode::kOutOfRange, "expected a mask of shape ", parameter.tensor.sizes(), " for ", entry.path,
           ", received ", entry.kept.sizes(), ": the mask belongs to another model");
    }
    return parameter;
  }
  fail(ErrorCode::kOutOfRange, "expected a weight named ", entry.path,
       " in the model, found none: the mask belongs to another model");
}
}  // namespace

Mask::Mask(std::vector<Entry> entries, std::string dense)
    : entries_(std::move(entries)), dense_(std::move(dense)) {}

Value Mask::describe() const {
  Sha256 hash;
  writeTo(Value::Map{{"format", kFormat}}, [&](std::string_view piece) { hash.update(piece); });
  return Value::Map{{"digest", hash.hex()},
                    {"weights", weights()},
                    {"kept", kept()},
                    {"dense", dense_.empty() ? Value() : Value(dense_)}};
}

std::shared_ptr<Mask> Mask::ofNonZeros(const Model& model) {
  std::vector<Entry> entries;
  const Value* pruned = model.manifest().find("pruned");
  for (const ParameterInfo& parameter : model.parameters()) {
    const auto& layers = model.layers();
    const bool prunable = std::any_of(layers.begin(), layers.end(), [&](const Layer& layer) {
      return layer.prunable && layer.weight.is_same(parameter.tensor);
    });
    const bool listed =
        pruned != nullptr && std::any_of(pruned->asList().begin(), pruned->asList().end(),
                                         [&](const Value& path) { return path == Value(parameter.path); });
    if (prunable || listed) entries.push_back({parameter.path, parameter.tensor.detach().ne(0).cpu()});
  }
  return std::make_shared<Mask>(std::move(entries));
}

int64_t Mask::weights() const {
  int64_t count = 0;
  for (const Entry& entry : entries_) count += entry.kept.numel();
  return count;
}

int64_t Mask::kept() const {
  int64_t count = 0;
  for (const Entry& entry : entries_) count += entry.kept.count_nonzero().item<int64_t>();
  return count;
}

double Mask::sparsity() const {
  const int64_t all = weights();
  return all == 0 ? 0 : static_cast<double>(all - kept()) / static_cast<double>(all);
}

void Mask::apply(Model& model) const {
  const torch::NoGradGuard noGrad;
  for (const Entry& entry : entries_) {
    const at::Tensor& weight = findWeight(model, entry).tensor;
    // Not a product: zero times an infinite weight is not zero.
    weight.masked_fill_(entry.kept.logical_not().to(weight.device()), 0);
  }
}

std::vector<at::Tensor> Mask::parallelTo(const Model& model) const {
  std::vector<at::Tensor> masks(model.parameters().size());
  for (const Entry& entry : entries_) {
    const ParameterInfo& weight = findWeight(model, entry);
    const auto index = static_cast<size_t>(&weight - model.parameters().data());
    masks[index] = entry.kept.to(weight.tensor.device());
  }
  return masks;
}

void Mask::writeTo(const Value& metadata, const std::function<void(std::string_view)>& sink) const {
  NamedTensors tensors;
  for (const Entry& entry : entries_) tensors.emplace_back(entry.path, entry.kept);
  writeSafetensors(tensors, metadata, sink);
}

std::string Mask::saveBytes() const {
  std::string bytes;
  Value metadata = Value::Map{{"format", kFormat}};
  if (!dense_.empty()) metadata.set("dense", dense_);
  writeTo(metadata, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

void Mask::save(const std::string& path) const { writeFileAtomically(path, saveBytes()); }

std::shared_ptr<Mask> Mask::fromBytes(std::string_view bytes, std::string_view what) {
  SafetensorsFile file = readSafetensors(bytes, what);
  const Value* format = file.metadata.find("format");
  if (format == nullptr || !format->isString() || format->asString() != kFormat) {
    fail(ErrorCode::kDataInvalid, "expected a mask (", kFormat, ") in ", what,
         ", found another safetensors file");
  }
  std::vector<Entry> entries;
  for (auto& [name, tensor] : file.tensors) {
    if (tensor.scalar_type() != at::kBool) {
      fail(ErrorCode::kDataInvalid, "expected boolean values for ", name, " in ", what, ", found ",
           tensor.scalar_type());
    }
    entries.push_back({name, tensor});
  }
  const Value* dense = file.metadata.find("dense");
  return std::make_shared<Mask>(std::move(entries), dense == nullptr ? std::string() : dense->asString());
}

std::shared_ptr<Mask> Mask::load(const std::string& path) {
  return fromBytes(readFile(path, std::numeric_limits<uint64_t>::max()), path);
}

void prune(Model& model, const Mask& mask) {
  mask.apply(model);
  Value paths = Value::List{};
  for (const Mask::Entry& entry : mask.entries()) paths.push(entry.path);
  model.mutableManifest().set("sparsity", weightSparsity(model)).set("pruned", std::move(paths));
}

void restateSparsity(Model& model) {
  if (model.manifest().find("sparsity") == nullptr) return;
  model.mutableManifest().set("sparsity", weightSparsity(model));
}

bool keepsZeros(const Model& model, const LiteralOr<"auto", bool>& option) {
  if (option.value) return *option.value;
  const Value* sparsity = model.manifest().find("sparsity");
  return sparsity != nullptr && sparsity->isNumber() && sparsity->asDouble() > 0;
}

double weightSparsity(const Model& model) {
  int64_t zeros = 0;
  int64_t all = 0;
  for (const Layer& layer : model.layers()) {
    if (!layer.prunable) continue;
    all += layer.weight.numel();
    zeros += layer.weight.numel() - layer.weight.detach().count_nonzero().item<int64_t>();
  }
  return all == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(all);
}

}  // namespace espalier
