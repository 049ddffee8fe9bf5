#include <fstream>
#include <sstream>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/serialization/import.h>

#include "core/archive/archive.h"
#include "core/convert.h"
#include "core/error.h"
#include "core/file.h"
#include "core/graph/failure.h"
#include "core/model.h"
#include "core/sha256.h"
#include "core/version.h"

namespace espalier {

namespace {

constexpr char kManifestRecord[] = "espalier.json";
constexpr int64_t kManifestFormat = 1;
constexpr uint64_t kMostManifestBytes = 64 << 20;

std::string companionPath(const std::string& path) { return path + ".manifest.json"; }

Value checkedManifest(Value manifest, const std::string& name) {
  const Value* format = manifest.isMap() ? manifest.find("format") : nullptr;
  if (format == nullptr || !format->isInt()) {
    fail(ErrorCode::kModelLoad, name, ": expected the manifest ", kManifestRecord,
         " to hold a format number");
  }
  if (format->asInt() > kManifestFormat) {
    fail(ErrorCode::kModelLoad, name, ": expected a manifest of format ", kManifestFormat, " at most, found ",
         format->asInt(), ": it was written by a newer version of espalier");
  }
  return manifest;
}

Value readManifest(const std::string& json, const std::string& name) {
  if (json.empty()) return Value::Map{};
  Value manifest;
  try {
    manifest = parseJson(json, text(name, ", ", kManifestRecord));
  } catch (const Error& error) {
    fail(ErrorCode::kModelLoad, error.message());
  }
  return checkedManifest(std::move(manifest), name);
}

// The full manifest of a protected model lies beside it; it counts while it was made for these very bytes.
std::optional<Value> readCompanion(const std::string& path) {
  if (!fileExists(companionPath(path))) return std::nullopt;
  try {
    const Value companion = parseJson(readFile(companionPath(path), kMostManifestBytes), companionPath(path));
    if (companion.at("sha256").asString() != sha256File(path)) return std::nullopt;
    return checkedManifest(companion.at("manifest"), companionPath(path));
  } catch (const Error&) {
    return std::nullopt;  // not a companion of this file
  }
}

std::shared_ptr<Model> finish(torch::jit::Module module, Value manifest, const std::string& name) {
  try {
    return Model::fromModule(std::move(module), std::move(manifest));
  } catch (const Error& error) {
    fail(ErrorCode::kModelLoad, name, ": the manifest ", kManifestRecord, ": ", error.message());
  }
}

torch::jit::Module readModule(const std::string& bytes) {
  std::istringstream stream(bytes);
  return torch::jit::load(stream);
}

// Puts `graph` in the place of the module's forward. The module's type must be nobody else's.
void replaceForward(torch::jit::Module& module, std::shared_ptr<torch::jit::Graph> graph) {
  if (!module.hasattr("training")) module.register_attribute("training", c10::BoolType::get(), false);
  const auto type = module.type();
  const c10::FunctionSchema schema = type->getMethod("forward").getSchema();
  const c10::QualifiedName name = type->getMethod("forward").qualname();
  const auto unit = module._ivalue()->compilation_unit();
  type->unsafeRemoveMethod("forward");
  unit->unsafeRemoveMethod(name);
  torch::jit::Function* forward = unit->create_function(name, std::move(graph));
  forward->setSchema(schema);
  type->addMethod(forward);
}

std::string writeModule(const torch::jit::Module& module, const torch::jit::ExtraFilesMap& extra) {
  std::ostringstream stream;
  module.save(stream, extra);
  return std::move(stream).str();
}

}  // namespace

std::shared_ptr<Model> Model::load(const std::string& path, const LoadOptions& options) {
  if (!fileExists(path)) readFile(path, 0);
  checkArchive(path);
  if (!options.trust) scanOperators(path);
  torch::jit::ExtraFilesMap extra{{kManifestRecord, ""}};
  torch::jit::Module module;
  try {
    module = torch::jit::load(path, options.device, extra);
  } catch (...) {
    failFromTorch(ErrorCode::kModelLoad, text(path, " cannot be loaded"));
  }
  auto companion = readCompanion(path);
  Value manifest = companion ? std::move(*companion) : readManifest(extra[kManifestRecord], path);
  std::shared_ptr<Model> model;
  if (options.preprocessing) {
    manifest.set("preprocessing", toValue(*options.preprocessing));
    model = fromModule(std::move(module), std::move(manifest));
  } else {
    model = finish(std::move(module), std::move(manifest), path);
  }
  model->trusted_ = options.trust;
  return model;
}

std::shared_ptr<Model> Model::fromBytes(std::string_view bytes, const std::string& name, bool trust) {
  checkArchiveBytes(bytes, name, trust);
  std::istringstream stream{std::string(bytes)};
  torch::jit::ExtraFilesMap extra{{kManifestRecord, ""}};
  torch::jit::Module module;
  try {
    module = torch::jit::load(stream, c10::kCPU, extra);
  } catch (...) {
    failFromTorch(ErrorCode::kModelLoad, text(name, " cannot be loaded"));
  }
  auto model = finish(std::move(module), readManifest(extra[kManifestRecord], name), name);
  model->trusted_ = trust;
  return model;
}

Value Model::manifest(ManifestKind kind) const {
  if (kind == ManifestKind::kNone) return {};
  Value out(Value::Map{{"format", kManifestFormat}, {"version", kVersion}});
  for (const Value::Entry& entry : manifest_.asMap()) {
    const bool isPublic =
        entry.first == "architecture" || entry.first == "preprocessing" || entry.first == "sparsity";
    if (entry.first == "format" || entry.first == "version") continue;
    if (isPublic || kind == ManifestKind::kFull) out.set(entry.first, entry.second);
  }
  return out;
}

std::string Model::saveBytes(ManifestKind kind) const {
  if (kind == ManifestKind::kNone && !preprocessing_.empty()) {
    fail(ErrorCode::kModelSave,
         "a model with preprocessing cannot be saved without a manifest: what its inputs go through would be "
         "lost; save it with the manifest 'public', which tells nothing but that and the architecture");
  }
  torch::jit::ExtraFilesMap extra;
  const Value manifest = this->manifest(kind);
  if (!manifest.isNull()) extra[kManifestRecord] = toJson(manifest, 2) + "\n";
  try {
    if (!graph(Mode::kEval).hasBakedTraining()) return writeModule(module_, extra);
    // Edited in a copy that was read back, so that its types are its own and its names always the same.
    torch::jit::Module copy = readModule(writeModule(module_, {}));
    replaceForward(copy, Graph(copy, Mode::kEval).switchable());
    return writeModule(copy, extra);
  } catch (...) {
    failFromTorch(ErrorCode::kModelSave, "the model cannot be saved");
  }
}

void Model::save(const std::string& path, std::optional<ManifestKind> kind) const {
  const Value* marked = manifest_.find("protected");
  const bool isProtected = marked != nullptr && marked->isBool() && marked->asBool();
  const bool withCompanion = !kind && isProtected;
  const std::string bytes =
      saveBytes(kind.value_or(isProtected ? ManifestKind::kPublic : ManifestKind::kFull));
  writeFileAtomically(path, bytes);
  if (!withCompanion) return;
  const Value companion(Value::Map{{"sha256", sha256(bytes)}, {"manifest", manifest(ManifestKind::kFull)}});
  writeFileAtomically(companionPath(path), toJson(companion, 2) + "\n");
}

}  // namespace espalier
