#include "core/key.h"

#include <cmath>
#include <limits>

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/mask.h"
#include "core/zoo/zoo.h"

using namespace espalier;

namespace {

std::shared_ptr<Model> toy(at::ScalarType type) {
  const auto model =
      createModel({.architecture = Architecture::kConvnet, .classes = 4, .widths = {{4, 6}}, .seed = 1});
  torch::jit::Module module = model->module().deepcopy();
  module.to(type);
  return Model::fromModule(module);
}

// Numbers that arithmetic would not bring back.
void makeOdd(const Model& model) {
  const torch::NoGradGuard noGrad;
  const at::Tensor& weight = model.layers()[0].weight;
  at::Tensor flat = weight.view({-1});
  flat[0] = -0.0;
  flat[1] = std::numeric_limits<double>::quiet_NaN();
  flat[2] = -std::numeric_limits<double>::infinity();
  flat[3] = 0.0;
}

Mask everySecond(const Model& model) {
  std::vector<Mask::Entry> entries;
  for (const Layer& layer : model.layers()) {
    if (!layer.prunable) continue;
    const at::Tensor kept = torch::arange(layer.weight.numel()).remainder(2).eq(1);
    entries.push_back({layer.weightPath, kept.reshape(layer.weight.sizes())});
  }
  // All of the first tensor: the odd numbers are among what is cut.
  entries[0].kept = torch::zeros_like(entries[0].kept);
  return Mask(std::move(entries));
}

}  // namespace

TEST("key: what a mask cuts comes back bit for bit, odd numbers and other precisions too") {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    const auto model = toy(type);
    makeOdd(*model);
    const auto locked = model->clone();
    const auto key = Key::cut(*locked, everySecond(*model));
    EXPECT_EQ(key->masked(), locked->digest());
    EXPECT_EQ(key->dense(), model->digest());
    EXPECT(key->masked() != key->dense());
    EXPECT_EQ(locked->layers()[0].weight.count_nonzero().item<int64_t>(), 0);
    const auto again = Key::fromBytes(key->saveBytes(), "the key");
    EXPECT_EQ(again->saveBytes(), key->saveBytes());
    again->restore(*locked);
    EXPECT_EQ(locked->digest(), model->digest());  // over the bytes
    EXPECT(std::signbit(locked->layers()[0].weight.view({-1})[0].item<double>()));
  }
}

TEST("key: the manifest says again what it said about sparsity") {
  const auto model = toy(at::kFloat);
  prune(*model, everySecond(*model));
  const Value before = model->manifest();
  std::vector<Mask::Entry> entries = everySecond(*model).entries();
  for (Mask::Entry& entry : entries) entry.kept = torch::zeros_like(entry.kept);
  const auto key = Key::cut(*model, Mask(std::move(entries)));
  EXPECT_EQ(model->manifest().at("sparsity").asDouble(), 1);
  key->restore(*model);
  EXPECT(model->manifest().at("sparsity") == before.at("sparsity"));
  EXPECT(model->manifest().at("pruned") == before.at("pruned"));
}

TEST("key: another model and damaged values are refused") {
  const auto model = toy(at::kFloat);
  const auto locked = model->clone();
  const auto key = Key::cut(*locked, everySecond(*model));
  const auto stranger = model->clone();
  EXPECT(ERROR_OF(key->restore(*stranger)).code() == ErrorCode::kOutOfRange);
  EXPECT_EQ(stranger->digest(), model->digest());

  std::string bytes = key->saveBytes();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  const auto damaged = Key::fromBytes(bytes, "the key");
  EXPECT(ERROR_OF(damaged->restore(*locked)).code() == ErrorCode::kDataInvalid);
  bytes.pop_back();
  EXPECT(ERROR_OF(Key::fromBytes(bytes, "the key")).code() == ErrorCode::kCheckpointInvalid);
  EXPECT(ERROR_OF(Key::fromBytes(everySecond(*model).saveBytes(), "the key")).code() ==
         ErrorCode::kDataInvalid);
}

TEST("key: a derived secret is the same for the same text alone") {
  EXPECT_EQ(Key::derive("one")->secret("a test"), Key::derive("one")->secret("a test"));
  EXPECT(Key::derive("one")->secret("a test") != Key::derive("two")->secret("a test"));
  EXPECT_EQ(Key::derive("one")->secret("a test").size(), Key::kSecretBytes);
}
