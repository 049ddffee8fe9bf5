#include "core/patch.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "core/sha256.h"

namespace espalier {

at::Tensor cellsToPixels(const at::Tensor& cells, int64_t height, int64_t width, int64_t cell) {
  return cells.repeat_interleave(cell, -2)
      .repeat_interleave(cell, -1)
      .slice(-2, 0, height)
      .slice(-1, 0, width);
}

at::Tensor patchPixels(std::string_view secret, int64_t height, int64_t width, const PatchOptions& options) {
  const int64_t rows = (height + options.cell - 1) / options.cell;
  const int64_t columns = (width + options.cell - 1) / options.cell;
  constexpr size_t kWordBytes = 4;
  constexpr size_t kWords = Sha256::kDigestBytes / kWordBytes;
  const auto cells = static_cast<size_t>(rows * columns);
  std::vector<uint32_t> words(cells);
  for (size_t block = 0; block * kWords < cells; ++block) {
    const auto bytes = hmacSha256(secret, text("espalier-patch/1 ", rows, "x", columns, " ", block));
    for (size_t i = 0; i < kWords && block * kWords + i < cells; ++i) {
      uint32_t word = 0;
      for (size_t byte = 0; byte < kWordBytes; ++byte) word = word << 8 | bytes[kWordBytes * i + byte];
      words[block * kWords + i] = word;
    }
  }
  std::vector<size_t> order(cells);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return words[a] < words[b]; });
  order.resize(static_cast<size_t>(std::llround(options.density * static_cast<double>(cells))));
  at::Tensor out = at::zeros({rows, columns}, at::kBool);
  auto* cell = out.data_ptr<bool>();
  for (const size_t i : order) cell[i] = true;
  return cellsToPixels(out, height, width, options.cell);
}

std::string patchDigest(std::string_view secret, const PatchOptions& options) {
  return sha256(text("espalier-patch/1 ", sha256(secret), " ", options.value, " ", options.density, " ",
                     options.cell, " ", options.channel));
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
  pattern[options.channel].masked_fill_(patchPixels(secret, shape[1], shape[2], options),
                                        options.value / kLightest);
  return domain.overlay(domain.name() + " + patch", pattern, patchDigest(secret, options));
}

}  // namespace espalier
