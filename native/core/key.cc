#include "core/key.h"

#include <algorithm>
#include <limits>
#include <unistd.h>
#if defined(__APPLE__)
#include <sys/random.h>
#endif

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "core/file.h"
#include "core/safetensors.h"
#include "core/sha256.h"

namespace espalier {

namespace {

constexpr std::string_view kFormat = "espalier-key/1";
constexpr const char* kSecret = "secret";
constexpr std::string_view kCut = "cut:";
constexpr std::string_view kValues = "values:";
// Entries of a manifest that tell of pruning and protection.
constexpr const char* kPrunedEntries[] = {"sparsity", "pruned", "protected"};

const at::Tensor* findWeight(const Model& model, const std::string& path) {
  for (const ParameterInfo& parameter : model.parameters()) {
    if (parameter.path == path) return &parameter.tensor;
  }
  return nullptr;
}

std::string textOf(const Value& metadata, std::string_view name, std::string_view what) {
  const Value* entry = metadata.find(name);
  if (entry == nullptr || !entry->isString())
    fail(ErrorCode::kDataInvalid, "expected an entry ", name, " in ", what, ", found none");
  return entry->asString();
}

}  // namespace

Value Key::describe() const {
  Sha256 hash;
  writeTo([&](std::string_view piece) { hash.update(piece); });
  const bool isSecret = !secret_.empty();
  return Value::Map{{"digest", hash.hex()},
                    {"holds", isSecret ? "secret" : "weights"},
                    {"masked", isSecret ? Value() : Value(masked_)},
                    {"weights", weights()}};
}

std::shared_ptr<Key> Key::create() {
  const std::shared_ptr<Key> key(new Key());
  key->secret_.resize(kSecretBytes);
  if (getentropy(key->secret_.data(), kSecretBytes) != 0) {
    fail(ErrorCode::kIo, "expected ", kSecretBytes,
         " random bytes from the operating system for a key, received none");
  }
  return key;
}

std::shared_ptr<Key> Key::derive(std::string_view text) {
  const std::shared_ptr<Key> key(new Key());
  const auto bytes = hmacSha256("espalier-derived-key/1", text);
  static_assert(bytes.size() == kSecretBytes);
  key->secret_.assign(bytes.begin(), bytes.end());
  return key;
}

const std::string& Key::secret(std::string_view who) const {
  if (!secret_.empty()) return secret_;
  fail(ErrorCode::kInvalidArgType, "expected a secret key for ", who,
       ", received one that holds cut weights: make one with Key.create()");
}

std::shared_ptr<Key> Key::cut(Model& model, const Mask& mask) {
  const std::shared_ptr<Key> key(new Key());
  key->dense_ = model.digest();
  for (const char* name : kPrunedEntries) {
    if (const Value* entry = model.manifest().find(name)) key->pruned_.set(name, *entry);
  }
  // By the weights' own paths: a mask may call a tied one by another name.
  const std::vector<at::Tensor> masks = mask.parallelTo(model);
  for (size_t i = 0; i < masks.size(); ++i) {
    if (!masks[i].defined()) continue;
    const ParameterInfo& parameter = model.parameters()[i];
    const at::Tensor cut = masks[i].logical_not();
    key->entries_.push_back({parameter.path, cut.cpu(), parameter.tensor.detach().masked_select(cut).cpu()});
  }
  prune(model, mask);
  key->masked_ = model.digest();
  return key;
}

void Key::restore(Model& model) const {
  if (!secret_.empty()) {
    fail(ErrorCode::kInvalidArgType,
         "expected the key that authorize.applyMask returned with the model, received a secret key, which "
         "opens none");
  }
  if (const std::string found = model.digest(); found != masked_) {
    fail(ErrorCode::kOutOfRange, "expected the model that the key was made with (digest ", masked_,
         "), received another (digest ", found, "): give that model, not trained or pruned since");
  }
  const torch::NoGradGuard noGrad;
  for (const Entry& entry : entries_) {
    const at::Tensor* weight = findWeight(model, entry.path);
    if (weight == nullptr || weight->sizes() != entry.cut.sizes() ||
        weight->scalar_type() != entry.values.scalar_type()) {
      fail(ErrorCode::kDataInvalid, "expected a weight ", entry.path, " of shape ", entry.cut.sizes(),
           " in the model, found none: the key is damaged");
    }
    weight->masked_scatter_(entry.cut.to(weight->device()), entry.values.to(weight->device()));
  }
  if (const std::string found = model.digest(); found != dense_) {
    fail(ErrorCode::kDataInvalid, "expected weights with the digest ", dense_, " behind the key, found ",
         found, ": the key is damaged");
  }
  Value manifest = Value::Map{};
  for (const Value::Entry& entry : model.manifest().asMap()) {
    const auto same = [&](const char* name) { return entry.first == name; };
    if (std::none_of(std::begin(kPrunedEntries), std::end(kPrunedEntries), same))
      manifest.set(entry.first, entry.second);
  }
  for (const Value::Entry& entry : pruned_.asMap()) manifest.set(entry.first, entry.second);
  model.mutableManifest() = std::move(manifest);
}

int64_t Key::weights() const {
  int64_t count = 0;
  for (const Entry& entry : entries_) count += entry.values.numel();
  return count;
}

void Key::writeTo(const std::function<void(std::string_view)>& sink) const {
  NamedTensors tensors;
  if (!secret_.empty()) {
    const at::Tensor bytes = at::empty({static_cast<int64_t>(secret_.size())}, at::kByte);
    std::copy(secret_.begin(), secret_.end(), reinterpret_cast<char*>(bytes.data_ptr<uint8_t>()));
    tensors.emplace_back(kSecret, bytes);
    writeSafetensors(tensors, Value::Map{{"format", kFormat}}, sink);
    return;
  }
  for (const Entry& entry : entries_) {
    tensors.emplace_back(text(kCut, entry.path), entry.cut);
    tensors.emplace_back(text(kValues, entry.path), entry.values);
  }
  const Value metadata =
      Value::Map{{"format", kFormat}, {"masked", masked_}, {"dense", dense_}, {"pruned", toJson(pruned_)}};
  writeSafetensors(tensors, metadata, sink);
}

std::string Key::saveBytes() const {
  std::string bytes;
  writeTo([&](std::string_view piece) { bytes += piece; });
  return bytes;
}

void Key::save(const std::string& path) const {
  writeFileAtomically(path, saveBytes(), FileAccess::kOwnerOnly);
}

std::shared_ptr<Key> Key::fromBytes(std::string_view bytes, std::string_view what) {
  const SafetensorsFile file = readSafetensors(bytes, what);
  const Value* format = file.metadata.find("format");
  if (format == nullptr || !format->isString() || format->asString() != kFormat) {
    fail(ErrorCode::kDataInvalid, "expected a key (", kFormat, ") in ", what,
         ", found another safetensors file");
  }
  const std::shared_ptr<Key> key(new Key());
  for (const auto& [name, tensor] : file.tensors) {
    if (name != kSecret) continue;
    if (tensor.scalar_type() != at::kByte || tensor.numel() != static_cast<int64_t>(kSecretBytes)) {
      fail(ErrorCode::kDataInvalid, "expected a secret of ", kSecretBytes, " bytes in ", what, ", found ",
           tensor.numel(), " of ", c10::toString(tensor.scalar_type()), ": the key is damaged");
    }
    const at::Tensor bytes = tensor.contiguous();
    key->secret_.assign(reinterpret_cast<const char*>(bytes.const_data_ptr<uint8_t>()), kSecretBytes);
    return key;
  }
  key->masked_ = textOf(file.metadata, "masked", what);
  key->dense_ = textOf(file.metadata, "dense", what);
  key->pruned_ = parseJson(textOf(file.metadata, "pruned", what), what);
  for (const auto& [name, tensor] : file.tensors) {
    if (name.rfind(kCut, 0) != 0) continue;
    Entry entry{name.substr(kCut.size()), tensor, {}};
    for (const auto& [other, values] : file.tensors) {
      if (other == text(kValues, entry.path)) entry.values = values;
    }
    const bool fits = entry.cut.scalar_type() == at::kBool && entry.values.defined() &&
                      entry.values.dim() == 1 && entry.values.numel() == entry.cut.sum().item<int64_t>();
    if (!fits) {
      fail(ErrorCode::kDataInvalid, "expected as many values as were cut out of ", entry.path, " in ", what,
           ", found others: the key is damaged");
    }
    key->entries_.push_back(std::move(entry));
  }
  return key;
}

std::shared_ptr<Key> Key::load(const std::string& path) {
  return fromBytes(readFile(path, std::numeric_limits<uint64_t>::max()), path);
}

}  // namespace espalier
