#include "core/model.h"

#include <filesystem>
#include <unistd.h>

#include "check.h"
#include "core/file.h"
#include "core/zoo/zoo.h"

using namespace espalier;

namespace {

struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / text("espalier-model-", ::getpid())).string();
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string operator/(const char* name) const { return path + "/" + name; }
};

std::shared_ptr<Model> small() {
  return createModel({.architecture = Architecture::kConvnet, .classes = 4, .widths = {{4, 6}}, .seed = 1});
}

}  // namespace

TEST("model: a saved file holds its manifest, and each kind tells what it may") {
  const Folder folder;
  const auto model = small();
  model->mutableManifest().set("sparsity", 0.5).set("methods", Value::List{"prune.magnitude"});
  model->save(folder / "full.pt");
  EXPECT(Model::load(folder / "full.pt")->manifest().find("methods") != nullptr);
  model->save(folder / "public.pt", ManifestKind::kPublic);
  const auto open = Model::load(folder / "public.pt");
  EXPECT(open->manifest().find("methods") == nullptr);
  EXPECT(open->manifest().at("sparsity") == Value(0.5));
  EXPECT(open->manifest().find("architecture") != nullptr);
  model->save(folder / "none.pt", ManifestKind::kNone);
  EXPECT(Model::load(folder / "none.pt")->manifest() == Value(Value::Map{}));
  EXPECT_EQ(open->digest(), model->digest());
}

TEST("model: a protected model is saved with its full manifest beside it") {
  const Folder folder;
  const auto model = small();
  model->mutableManifest().set("protected", true).set("methods", Value::List{"lock.agingChip"});
  model->save(folder / "locked.pt");
  EXPECT(readFile(folder / "locked.pt", 1 << 24).find("agingChip") == std::string::npos);
  EXPECT(Model::load(folder / "locked.pt")->manifest().find("methods") != nullptr);
  std::filesystem::copy_file(folder / "locked.pt", folder / "sold.pt");
  EXPECT(Model::load(folder / "sold.pt")->manifest().find("methods") == nullptr);
  // The companion of other bytes says nothing about these.
  std::filesystem::rename(folder / "locked.pt.manifest.json", folder / "sold.pt.manifest.json");
  EXPECT(Model::load(folder / "sold.pt")->manifest().find("methods") != nullptr);
  small()->reinitialize(9)->save(folder / "sold.pt");
  EXPECT(Model::load(folder / "sold.pt")->manifest().find("methods") == nullptr);
}

TEST("model: preprocessing is applied, kept in the file, and not lost with the manifest") {
  const Folder folder;
  small()->save(folder / "plain.pt");
  LoadOptions options;
  options.preprocessing = Preprocessing{{0.5, 0.4, 0.3}, {0.2, 0.3, 0.4}, 32};
  const auto model = Model::load(folder / "plain.pt", options);
  const at::NoGradGuard noGrad;
  const at::Tensor images = at::rand({2, 3, 20, 20});
  const at::Tensor mean = at::tensor({0.5, 0.4, 0.3}, at::kFloat).view({1, 3, 1, 1});
  const at::Tensor deviation = at::tensor({0.2, 0.3, 0.4}, at::kFloat).view({1, 3, 1, 1});
  const at::Tensor prepared = (at::upsample_bilinear2d(images, {32, 32}, false) - mean) / deviation;
  const at::Tensor expected = model->forward({prepared}).toTensor();
  EXPECT(model->logits(images, Mode::kEval).equal(expected));
  model->save(folder / "with.pt", ManifestKind::kPublic);
  EXPECT(Model::load(folder / "with.pt")->logits(images, Mode::kEval).equal(expected));
  const auto error = ERROR_OF(model->save(folder / "none.pt", ManifestKind::kNone));
  EXPECT(error.code() == ErrorCode::kModelSave);
  EXPECT(error.message().find("'public'") != std::string::npos);
  EXPECT(ERROR_OF(model->logits(at::rand({2, 1, 20, 20}), Mode::kEval)).code() == ErrorCode::kModelRun);
}

TEST("model: saving gives the same bytes, loading the same model") {
  const auto model = small();
  const std::string bytes = model->saveBytes(ManifestKind::kFull);
  EXPECT(bytes == model->saveBytes(ManifestKind::kFull));
  const auto again = Model::fromBytes(bytes);
  EXPECT_EQ(again->digest(), model->digest());
  EXPECT_EQ(again->bytes(), model->bytes());
  const at::Tensor images = at::rand({2, 3, 32, 32});
  EXPECT(again->forward({images}).toTensor().equal(model->forward({images}).toTensor()));
}

TEST("model: the digest tells one changed weight") {
  const auto model = small();
  const std::string digest = model->digest();
  const at::NoGradGuard noGrad;
  model->parameters()[0].tensor.view(-1)[0].add_(1e-3);
  EXPECT(model->digest() != digest);
}

TEST("model: what is not there or not a model is refused with its name") {
  const Folder folder;
  EXPECT(ERROR_OF(Model::load(folder / "none.pt")).code() == ErrorCode::kIo);
  writeFileAtomically(folder / "text.pt", "not a model");
  const auto error = ERROR_OF(Model::load(folder / "text.pt"));
  EXPECT(error.code() == ErrorCode::kModelLoad);
  EXPECT(error.message().find("text.pt") != std::string::npos);
}

TEST("model: a double model takes float images, and logits must be one matrix") {
  torch::jit::Module module("Twice");
  module.register_parameter("weight", at::ones({2, 3}, at::kDouble), false);
  module.define("def forward(self, x):\n  return x.matmul(self.weight.t())\n");
  const auto model = Model::fromModule(module);
  EXPECT(model->logits(at::ones({4, 3}), Mode::kEval).scalar_type() == at::kDouble);
  EXPECT(ERROR_OF(model->logits(at::ones({4, 5, 3}), Mode::kEval)).message().find("one float matrix") !=
         std::string::npos);
  EXPECT_EQ(model->layers().size(), 1U);
  EXPECT_EQ(model->layers()[0].weightPath, "weight");
}
