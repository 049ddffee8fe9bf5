#include "core/patch.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "core/sha256.h"

namespace espalier {

at::Tensor patchPixels(std::string_view secret, int64_t height, int64_t width, double density) {
  constexpr size_t kWordBytes = 4;
  constexpr size_t kWords = Sha256::kDigestBytes / kWordBytes;
  const auto pixels = static_cast<size_t>(height * width);
  std::vector<uint32_t> words(pixels);
  for (size_t block = 0; block * kWords < pixels; ++block) {
    const auto bytes = hmacSha256(secret, text("espalier-patch/1 ", height, "x", width, " ", block));
    for (size_t i = 0; i < kWords && block * kWords + i < pixels; ++i) {
      uint32_t word = 0;
      for (size_t byte = 0; byte < kWordBytes; ++byte) word = word << 8 | bytes[kWordBytes * i + byte];
      words[block * kWords + i] = word;
    }
  }
  std::vector<size_t> order(pixels);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return words[a] < words[b]; });
  order.resize(static_cast<size_t>(std::llround(density * static_cast<double>(pixels))));
  at::Tensor out = at::zeros({height, width}, at::kBool);
  auto* pixel = out.data_ptr<bool>();
  for (const size_t i : order) pixel[i] = true;
  return out;
}

std::string patchDigest(std::string_view secret, const PatchOptions& options) {
  return sha256(text("espalier-patch/1 ", sha256(secret), " ", options.value, " ", options.density, " ",
                     options.channel));
}

std::shared_ptr<Domain> patched(const Domain& domain, std::string_view secret, const PatchOptions& options) {
  const std::vector<int64_t> shape = domain.sampleShape();
  if (shape.size() != 3) {
    fail(ErrorCode::kDataInvalid, "expected images in domain ", domain.name(),
         " to put a patch on, found samples of another kind");
  }
  if (options.channel >= shape[0]) {
    fail(ErrorCode::kOutOfRange, "expected 0 to ", shape[0] - 1, " for patch.channel (the images of domain ",
         domain.name(), " have ", shape[0], "), received ", options.channel);
  }
  constexpr double kLightest = 255;
  at::Tensor pattern = at::zeros(shape, at::kFloat);
  pattern[options.channel].masked_fill_(patchPixels(secret, shape[1], shape[2], options.density),
                                        options.value / kLightest);
  return domain.overlay(domain.name() + " + patch", pattern, patchDigest(secret, options));
}

}  // namespace espalier
