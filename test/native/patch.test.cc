#include "core/patch.h"

#include <set>
#include <string>

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"
#include "core/key.h"
#include "core/model.h"
#include "core/sha256.h"
#include "core/zoo/zoo.h"

using namespace espalier;

namespace {

std::string hexOf(const std::array<uint8_t, Sha256::kDigestBytes>& bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : bytes) out += {kHex[byte >> 4], kHex[byte & 15]};
  return out;
}

std::shared_ptr<Domain> images(at::ScalarType type) {
  const at::Tensor samples = torch::arange(2 * 3 * 4 * 5).reshape({2, 3, 4, 5}).mul(2);
  const at::Tensor given = type == at::kByte ? samples.to(at::kByte) : samples.to(at::kFloat) / 255;
  return std::make_shared<Domain>("toy", Dataset::fromTensors(given, torch::arange(2)), nullptr,
                                  Dataset::fromTensors(given, torch::arange(2)));
}

}  // namespace

// RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
TEST("hmac: the published vectors") {
  EXPECT_EQ(hexOf(hmacSha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hexOf(hmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(
      hexOf(hmacSha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

// Computed by Python's hmac and a stable sort of the words.
TEST("patch: its pixels follow from the secret alone") {
  std::string secret;
  for (int i = 0; i < 32; ++i) secret += static_cast<char>(i);
  const at::Tensor pixels = patchPixels(secret, 4, 5, {.density = 0.75, .cell = 1});
  EXPECT_EQ(pixels.sum().item<int64_t>(), 15);
  std::string rows;
  for (int64_t i = 0; i < 20; ++i) rows += pixels.view({-1})[i].item<bool>() ? '1' : '0';
  EXPECT(rows == "11111001111001111011");
  EXPECT(!patchPixels(secret, 5, 4, {.density = 0.75, .cell = 1}).reshape({-1}).equal(pixels.reshape({-1})));
  secret[31] = 'x';
  EXPECT(!patchPixels(secret, 4, 5, {.density = 0.75, .cell = 1}).equal(pixels));
  EXPECT_EQ(patchPixels(secret, 4, 5, {.density = 1, .cell = 1}).sum().item<int64_t>(), 20);
  // Cells of 3 x 3 pixels: those of a 2 x 2 grid, the right and lower ones cut off.
  const at::Tensor coarse = patchPixels(secret, 4, 5, {.density = 0.5, .cell = 3});
  const at::Tensor grid = patchPixels(secret, 2, 2, {.density = 0.5, .cell = 1});
  EXPECT(coarse.slice(0, 0, 3).slice(1, 0, 3).eq(grid[0][0]).all().item<bool>());
  EXPECT(coarse.slice(0, 3).slice(1, 3).eq(grid[1][1]).all().item<bool>());
  EXPECT(coarse.slice(0, 0, 3).slice(1, 3).eq(grid[0][1]).all().item<bool>());
}

TEST("patch: on bytes and on floats alike, saturated, on its channel, once") {
  const std::string secret(32, 'k');
  for (const at::ScalarType type : {at::kByte, at::kFloat}) {
    const auto domain = images(type);
    const auto with = patched(*domain, secret, {.value = 80, .density = 0.5, .cell = 1, .channel = 1});
    EXPECT_EQ(with->name(), "toy + patch");
    EXPECT(with->has(Role::kFit) && with->has(Role::kReport) && !with->has(Role::kSelect));
    const at::Tensor before = domain->fit("a test")->gather(torch::arange(2), at::kCPU).inputs;
    const at::Tensor after = with->fit("a test")->gather(torch::arange(2), at::kCPU).inputs;
    at::Tensor expected = before.clone();
    const at::Tensor pixels = patchPixels(secret, 4, 5, {.density = 0.5, .cell = 1});
    for (int64_t n = 0; n < 2; ++n) {
      at::Tensor channel = expected[n][1];
      channel += pixels.to(at::kFloat) * (80.0F / 255.0F);
    }
    EXPECT(after.equal(expected.clamp_max(1)));
    EXPECT(after.max().item<float>() == 1.0F);
    EXPECT(with->fit("a test")->digest() != domain->fit("a test")->digest());
    EXPECT_EQ(with->fit("a test")->digest(),
              patched(*domain, secret, {.value = 80, .density = 0.5, .cell = 1, .channel = 1})
                  ->fit("a test")
                  ->digest());
  }
}

TEST("patch: refuses a channel that is not there, and samples that are no images") {
  const auto domain = images(at::kByte);
  EXPECT(ERROR_OF(patched(*domain, std::string(32, 'k'), {.channel = 3})).code() == ErrorCode::kOutOfRange);
  const Domain numbers("numbers", Dataset::fromTensors(torch::ones({2, 4}), torch::arange(2)), nullptr,
                       nullptr);
  EXPECT(ERROR_OF(patched(numbers, std::string(32, 'k'), {})).code() == ErrorCode::kDataInvalid);
}

TEST("key: a secret is fresh each time, survives its file, and opens no model") {
  const auto key = Key::create();
  EXPECT_EQ(key->secret("a test").size(), Key::kSecretBytes);
  EXPECT(Key::create()->secret("a test") != key->secret("a test"));
  const auto again = Key::fromBytes(key->saveBytes(), "the key");
  EXPECT(again->secret("a test") == key->secret("a test"));
  EXPECT(again->describe() == key->describe());
  EXPECT_EQ(key->describe().at("holds").asString(), "secret");
  EXPECT(key->describe().at("masked").isNull());
  const auto model =
      createModel({.architecture = Architecture::kConvnet, .classes = 4, .widths = {{4}}, .seed = 1});
  EXPECT(ERROR_OF(key->restore(*model)).code() == ErrorCode::kInvalidArgType);
  std::vector<Mask::Entry> entries;
  for (const Layer& layer : model->layers()) {
    if (layer.prunable) entries.push_back({layer.weightPath, torch::ones_like(layer.weight).to(at::kBool)});
  }
  EXPECT(ERROR_OF(Key::cut(*model, Mask(std::move(entries)))->secret("a patch")).code() ==
         ErrorCode::kInvalidArgType);
  std::string damaged = key->saveBytes();
  const auto type = damaged.find("U8");
  EXPECT(type != std::string::npos);
  damaged.at(type) = 'I';
  EXPECT(ERROR_OF(Key::fromBytes(damaged, "the key")).code() == ErrorCode::kDataInvalid);
}
