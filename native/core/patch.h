#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <torch/types.h>

#include "core/data/domain.h"
#include "core/fields.h"

// A secret pattern on images: what tells an owner's model from others, or a licensed user from others.
namespace espalier {

struct PatchOptions {
  double value = 80;      // added, of 255
  double density = 0.25;  // share of the cells
  int64_t cell = 4;       // its side in pixels
  int64_t channel = 0;
  template <class V>
  void fields(V&& visit) {
    visit("value", value, {.min = 0, .max = 255, .exclusiveMin = true});
    visit("density", density, {.min = 0, .max = 1, .exclusiveMin = true});
    visit("cell", cell, {.min = 1, .max = 16384});
    visit("channel", channel, {.min = 0, .max = 4095});
  }
};

// Which pixels, bool [height, width]. The image is cut into rows x columns cells, those at its right and
// lower ends as large as there is room; round(density * rows * columns) of them belong, those of the smallest
// words, ties by index. The words come from a secret: word i, 32 bits, big-endian, is number i % 8 of
// HMAC-SHA-256(secret, "espalier-patch/1 <rows>x<columns> <i / 8>").
at::Tensor patchPixels(std::string_view secret, int64_t height, int64_t width, const PatchOptions& options);
// Cells as pixels: [..., rows, columns] to [..., height, width].
at::Tensor cellsToPixels(const at::Tensor& cells, int64_t height, int64_t width, int64_t cell);

// What stands for a secret and its options where both may be seen.
std::string patchDigest(std::string_view secret, const PatchOptions& options);

// The domain with the pattern on every image, called "<name> + patch". ERR_OUT_OF_RANGE for a channel that
// its images do not have, ERR_DATA_INVALID for samples that are no images.
std::shared_ptr<Domain> patched(const Domain& domain, std::string_view secret, const PatchOptions& options);

}  // namespace espalier
