#include "core/checkpoint/node.h"

#include <limits>
#include <map>

#include "core/file.h"
#include "core/mask.h"
#include "core/sha256.h"
#include "core/trail.h"

namespace espalier {

namespace {

constexpr int64_t kFormat = 1;

// Handles are stored as { "$handle": kind, "$bytes": name of the tensor }.
constexpr std::string_view kHandleKey = "$handle";
constexpr std::string_view kBytesKey = "$bytes";

class TreeWriter {
 public:
  Value node(const CheckpointNode& node, const std::string& path) {
    Value entries = Value::List{};
    for (size_t i = 0; i < node.entries.size(); ++i)
      entries.push(entry(*node.entries[i], text(path, i, "/")));
    return Value::Map{{"method", node.method}, {"entries", std::move(entries)}};
  }

  NamedTensors takeTensors() { return std::move(tensors_); }

 private:
  Value entry(const CheckpointEntry& entry, const std::string& path) {
    Value::List names;
    for (const auto& [name, tensor] : entry.state.tensors) {
      // Here, for on another thread libtorch would set up threads of its own for a copy.
      tensors_.emplace_back(text(path, "state/", name), tensor.detach().cpu().contiguous());
      names.emplace_back(name);
    }
    Value out = Value::Map{{"key", entry.key},
                           {"finished", entry.finished},
                           {"tensors", std::move(names)},
                           {"scalars", entry.state.scalars},
                           {"outputs", handles(entry.outputs, text(path, "outputs"))},
                           {"value", entry.value}};
    if (entry.child) out.set("child", node(*entry.child, path));
    return out;
  }

  Value handles(const Value& value, const std::string& path) {
    if (value.isMap()) {
      Value out = Value::Map{};
      for (const Value::Entry& item : value.asMap())
        out.set(item.first, handles(item.second, text(path, "/", item.first)));
      return out;
    }
    if (!value.isHandle()) return value;
    std::string bytes;
    if (const auto model = std::dynamic_pointer_cast<Model>(value.asHandle())) {
      bytes = model->saveBytes(ManifestKind::kFull);
    } else if (const auto mask = std::dynamic_pointer_cast<Mask>(value.asHandle())) {
      bytes = mask->saveBytes();
    } else if (const auto trail = std::dynamic_pointer_cast<Trail>(value.asHandle())) {
      bytes = trail->saveBytes();
    } else {
      fail(ErrorCode::kInternal, "a ", value.typeName(), " cannot be kept in a checkpoint");
    }
    const at::Tensor tensor = torch::empty({static_cast<int64_t>(bytes.size())}, at::kByte);
    std::copy(bytes.begin(), bytes.end(), static_cast<char*>(tensor.mutable_data_ptr()));
    tensors_.emplace_back(path, tensor);
    return Value::Map{{std::string(kHandleKey), value.typeName()}, {std::string(kBytesKey), path}};
  }

  NamedTensors tensors_;
};

class TreeReader {
 public:
  TreeReader(NamedTensors tensors, std::string path, bool trust)
      : tensors_(tensors.begin(), tensors.end()), path_(std::move(path)), trust_(trust) {}

  std::unique_ptr<CheckpointNode> node(const Value& value, const std::string& path) {
    auto node = std::make_unique<CheckpointNode>();
    node->method = value.at("method").asString();
    const Value::List& entries = value.at("entries").asList();
    for (size_t i = 0; i < entries.size(); ++i)
      node->entries.push_back(entry(entries[i], text(path, i, "/")));
    return node;
  }

 private:
  std::unique_ptr<CheckpointEntry> entry(const Value& value, const std::string& path) {
    auto entry = std::make_unique<CheckpointEntry>();
    entry->key = value.at("key").asString();
    entry->finished = value.at("finished").asBool();
    entry->state.scalars = value.at("scalars");
    for (const Value& name : value.at("tensors").asList()) {
      entry->state.tensors.emplace_back(name.asString(), tensor(text(path, "state/", name.asString())));
    }
    entry->outputs = handles(value.at("outputs"));
    entry->value = value.at("value");
    if (const Value* child = value.find("child")) entry->child = node(*child, path);
    return entry;
  }

  const at::Tensor& tensor(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end())
      fail(ErrorCode::kCheckpointInvalid, "expected a tensor named ", name, ", found none");
    return found->second;
  }

  Value handles(const Value& value) const {
    if (!value.isMap()) return value;
    if (const Value* kind = value.find(kHandleKey)) {
      const at::Tensor& bytes = tensor(value.at(kBytesKey).asString());
      const std::string_view view(static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes());
      if (kind->asString() == Model::kKind)
        return HandlePtr(Model::fromBytes(view, text("a model in the checkpoint '", path_, "'"), trust_));
      if (kind->asString() == Mask::kKind) return HandlePtr(Mask::fromBytes(view, "the checkpoint's mask"));
      if (kind->asString() == Trail::kKind)
        return HandlePtr(Trail::fromBytes(view, "the checkpoint's trail", trust_));
      fail(ErrorCode::kCheckpointInvalid, "expected a Model, a Mask or a Trail, found a ", kind->asString());
    }
    Value out = Value::Map{};
    for (const Value::Entry& item : value.asMap()) out.set(item.first, handles(item.second));
    return out;
  }

  std::map<std::string, at::Tensor> tensors_;
  std::string path_;
  bool trust_;
};

// Over the tree and every tensor, in the order of their names.
std::string checksum(const std::string& tree, const NamedTensors& tensors) {
  Sha256 hash;
  hash.update(tree.data(), tree.size());
  std::map<std::string, at::Tensor> sorted(tensors.begin(), tensors.end());
  for (const auto& [name, tensor] : sorted) {
    hash.update(name.data(), name.size());
    const at::Tensor plain = tensor.detach().cpu().contiguous();
    hash.update(plain.const_data_ptr(), plain.nbytes());
  }
  return hash.hex();
}

// What is missing in the tree, or is of another kind, is the file's fault and not an argument's.
Checkpoint readTree(const std::string& json, NamedTensors tensors, const std::string& path, bool trust) {
  try {
    const Value tree = parseJson(json, path);
    if (tree.at("format").asInt() != kFormat) {
      fail(ErrorCode::kCheckpointMismatch, "expected a checkpoint of format ", kFormat, " at ", path,
           ", found format ", tree.at("format").asInt(), ": it was written by another version of Espalier");
    }
    return {tree.at("identity"), TreeReader(std::move(tensors), path, trust).node(tree.at("root"), "")};
  } catch (const Error& error) {
    const bool isAboutValues = error.code() == ErrorCode::kInvalidArgType ||
                               error.code() == ErrorCode::kOutOfRange ||
                               error.code() == ErrorCode::kDataInvalid;
    if (!isAboutValues) throw;
    fail(ErrorCode::kCheckpointInvalid, path, " is damaged: ", error.message());
  }
}

}  // namespace

CheckpointEntry& CheckpointNode::enter(const std::string& key) {
  if (next == entries.size()) {
    entries.push_back(std::make_unique<CheckpointEntry>());
    entries.back()->key = key;
  }
  CheckpointEntry& entry = *entries[next++];
  if (entry.key != key) {
    fail(ErrorCode::kCheckpointInvalid, "expected ", method, " to go on with ", entry.key,
         ", as its checkpoint has it, found ", key);
  }
  return entry;
}

void CheckpointNode::goOnAt(int64_t ordinal) {
  if (ordinal < static_cast<int64_t>(next) || ordinal > static_cast<int64_t>(entries.size())) {
    fail(ErrorCode::kCheckpointInvalid, "expected ", method, " to go on at one of its ", entries.size(),
         " saved parts, found ", ordinal);
  }
  next = static_cast<size_t>(ordinal);
}

CheckpointImage imageOf(const Value& identity, const CheckpointNode& root) {
  TreeWriter writer;
  const Value tree = Value::Map{{"format", kFormat}, {"identity", identity}, {"root", writer.node(root, "")}};
  return {toJson(tree), writer.takeTensors()};
}

void writeCheckpoint(const std::string& path, const CheckpointImage& image, int64_t keep) {
  const auto& [json, tensors] = image;
  writeNextGeneration(
      path, writeSafetensors(tensors, Value::Map{{"espalier", json}, {"sha256", checksum(json, tensors)}}),
      keep);
}

Checkpoint readCheckpoint(const std::string& path, bool trust) {
  const std::string bytes = readFile(path, std::numeric_limits<uint64_t>::max());
  SafetensorsFile file = readSafetensors(bytes, path);
  const Value* json = file.metadata.find("espalier");
  const Value* sum = file.metadata.find("sha256");
  if (json == nullptr || sum == nullptr) {
    fail(ErrorCode::kCheckpointInvalid, "expected a checkpoint of Espalier at ", path,
         ", found another safetensors file");
  }
  if (!sum->isString() || !json->isString() || sum->asString() != checksum(json->asString(), file.tensors)) {
    fail(ErrorCode::kCheckpointInvalid, "the checksum of ", path, " does not fit its content: it is damaged");
  }
  return readTree(json->asString(), std::move(file.tensors), path, trust);
}

}  // namespace espalier
