#include "core/data/stream.h"

#include "check.h"
#include "core/data/augment.h"
#include "dataset_files.h"

using namespace espalier;
using namespace espalier::test;

namespace {

StreamOptions options(int64_t batchSize, uint64_t seed = 1) {
  StreamOptions out;
  out.batchSize = batchSize;
  out.seed = seed;
  return out;
}

at::Tensor epochIndices(BatchStream& stream, int64_t epoch) {
  std::vector<at::Tensor> parts;
  for (int64_t i = 0; i < stream.batchesPerEpoch(); ++i) parts.push_back(stream.at(epoch, i).indices);
  return at::cat(parts);
}

}  // namespace

TEST("stream: an epoch is a permutation, another one for another epoch or seed") {
  BatchStream stream(toyImages(50), options(8), at::kCPU);
  EXPECT_EQ(stream.batchesPerEpoch(), 7);
  EXPECT_EQ(stream.at(0, 6).inputs.size(0), 2);
  const at::Tensor first = epochIndices(stream, 0), second = epochIndices(stream, 1);
  EXPECT(at::equal(std::get<0>(first.sort()), range(0, 50)));
  EXPECT(!at::equal(first, second));
  EXPECT(at::equal(first, epochIndices(stream, 0)));
  BatchStream other(toyImages(50), options(8, 2), at::kCPU);
  EXPECT(!at::equal(first, epochIndices(other, 0)));
}

TEST("stream: the order of seed 1 is the same on every machine") {
  BatchStream stream(toyImages(10), options(10), at::kCPU);
  EXPECT(at::equal(stream.at(0, 0).indices, at::tensor({9, 8, 6, 5, 2, 1, 3, 4, 7, 0}, at::kLong)));
}

TEST("stream: in order without shuffling, without the rest with dropLast") {
  StreamOptions plain = options(8);
  plain.shuffle = false;
  plain.dropLast = true;
  BatchStream stream(toyImages(50), plain, at::kCPU);
  EXPECT_EQ(stream.batchesPerEpoch(), 6);
  EXPECT(at::equal(epochIndices(stream, 3), range(0, 48)));
  EXPECT(ERROR_OF(stream.at(0, 6)).code() == ErrorCode::kOutOfRange);
  EXPECT(ERROR_OF(stream.at(-1, 0)).code() == ErrorCode::kOutOfRange);
  EXPECT(ERROR_OF(BatchStream(toyImages(5), plain, at::kCPU)).code() == ErrorCode::kDataInvalid);
}

TEST("stream: streamed batches are those of a resident stream, in any order of asking") {
  const DataFolder folder;
  const auto dataset = Dataset::open({folder.write("i", idx(0x08, {60, 6, 6}, pattern(60 * 36))),
                                      folder.write("l", idx(0x08, {60}, labelBytes(60, 3))),
                                      {}})
                           ->take(47, 5, true)
                           ->pad(8)
                           ->resize(9, 3);
  StreamOptions held = options(8), streamed = options(8);
  held.augmentation = streamed.augmentation = {.shift = 2, .flip = true, .rotation = 15, .jitter = 0.2};
  streamed.residentBytes = 0;
  BatchStream a(dataset, held, at::kCPU), b(dataset, streamed, at::kCPU);
  EXPECT(a.resident());
  EXPECT(!b.resident());
  std::vector<std::pair<int64_t, int64_t>> asked;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    for (int64_t i = 0; i < a.batchesPerEpoch(); ++i) asked.emplace_back(epoch, i);
  }
  asked.insert(asked.end(), {{0, 3}, {7, 1}, {7, 2}, {1, 5}});
  for (const auto& [epoch, i] : asked) {
    const Batch x = a.at(epoch, i), y = b.at(epoch, i);
    EXPECT(at::equal(x.inputs, y.inputs));
    EXPECT(at::equal(x.labels, y.labels));
    EXPECT(at::equal(x.indices, y.indices));
    EXPECT(at::equal(x.labels, dataset->labels().index_select(0, x.indices)));
  }
}

TEST("stream: what fails while reading ahead is thrown by the batch that needs it") {
  const DataFolder folder;
  const auto path = folder.write("i", idx(0x08, {60, 6, 6}, pattern(60 * 36)));
  StreamOptions streamed = options(8);
  streamed.residentBytes = 0;
  BatchStream stream(Dataset::open({path, folder.write("l", idx(0x08, {60}, labelBytes(60, 3))), {}}),
                     streamed, at::kCPU);
  stream.at(0, 0);
  stream.at(0, 1);
  std::filesystem::resize_file(path, 20);
  Error error(ErrorCode::kInternal, "none");
  for (int64_t i = 2; i < 4; ++i) {
    try {
      stream.at(0, i);
    } catch (const Error& thrown) {
      error = thrown;
    }
  }
  EXPECT(error.code() == ErrorCode::kIo);
}

TEST("stream: two streams share one resident copy") {
  const DataFolder folder;
  const auto dataset = Dataset::open({folder.write("i", idx(0x08, {9, 6, 6}, pattern(9 * 36))),
                                      folder.write("l", idx(0x08, {9}, labelBytes(9, 3))),
                                      {}});
  const at::Tensor first = dataset->resident(at::kCPU);
  EXPECT(dataset->resident(at::kCPU).is_same(first));
}

TEST("augmentation: an image's change does not depend on its batch") {
  const auto dataset = toyImages(20, 8);
  const Augmentation all{.shift = 2, .flip = true, .rotation = 20, .jitter = 0.3};
  const Batch batch = dataset->gather(range(0, 20), at::kCPU);
  const at::Tensor together = augment(batch.inputs, all, 3, 5, batch.indices);
  const Batch one = dataset->gather(at::tensor({13}, at::kLong), at::kCPU);
  EXPECT(at::allclose(augment(one.inputs, all, 3, 5, one.indices)[0], together[13], 0, 1e-6));
  EXPECT(!at::equal(together, augment(batch.inputs, all, 3, 6, batch.indices)));
  EXPECT(!at::equal(together, augment(batch.inputs, all, 4, 5, batch.indices)));
  EXPECT(together.min().item<float>() >= 0 && together.max().item<float>() <= 1);
}

TEST("augmentation: shifts are uniform, flips are fair, and pixels are moved whole") {
  const int64_t n = 6000, shift = 2, size = 9;
  at::Tensor images = at::zeros({n, 1, size, size});
  images.select(2, 4).select(2, 3).fill_(1);  // row 4, column 3
  const at::Tensor moved = augment(images, {.shift = shift, .flip = true}, 1, 0, range(0, n));
  EXPECT_EQ(moved.sum().item<double>(), static_cast<double>(n));
  const at::Tensor rows = moved.sum({0, 1, 3}), columns = moved.sum({0, 1, 2});
  for (int64_t y = 2; y <= 6; ++y) EXPECT_NEAR(rows[y].item<double>() / n, 0.2, 0.02);
  // Column 3 or, mirrored, 5; each spread over 5 columns.
  const double expected[] = {0, .1, .1, .2, .2, .2, .1, .1, 0};
  for (int64_t x = 0; x < size; ++x) EXPECT_NEAR(columns[x].item<double>() / n, expected[x], 0.02);
}

TEST("augmentation: rotation turns about the centre, also of images that are not square") {
  at::Tensor images = at::zeros({200, 1, 21, 41});
  images.select(2, 10).select(2, 20).fill_(1);
  const at::Tensor turned = augment(images, {.rotation = 180}, 1, 0, range(0, 200));
  EXPECT_NEAR(turned.select(2, 10).select(2, 20).min().item<double>(), 1, 1e-4);
  // A dot 8 pixels from the centre stays 8 pixels from it.
  at::Tensor dots = at::zeros({200, 1, 21, 41});
  dots.select(2, 10).select(2, 28).fill_(1);
  const at::Tensor moved = augment(dots, {.rotation = 180}, 1, 0, range(0, 200)).squeeze(1);
  const at::Tensor mass = moved.sum({1, 2});
  const at::Tensor y = (moved.sum(2) * at::arange(21)).sum(1) / mass - 10,
                   x = (moved.sum(1) * at::arange(41)).sum(1) / mass - 20;
  EXPECT_NEAR((y * y + x * x).sqrt().min().item<double>(), 8, 0.2);
  EXPECT_NEAR((y * y + x * x).sqrt().max().item<double>(), 8, 0.2);
  EXPECT(y.max().item<double>() > 6 && y.min().item<double>() < -6);
}

TEST("augmentation: jitter scales brightness and contrast within its range") {
  const at::Tensor flat = at::full({2000, 1, 4, 4}, 0.5);
  const at::Tensor bright = augment(flat, {.jitter = 0.2}, 1, 0, range(0, 2000)).mean({1, 2, 3});
  EXPECT_NEAR(bright.mean().item<double>(), 0.5, 0.01);
  EXPECT(bright.min().item<double>() >= 0.4 - 1e-6 && bright.min().item<double>() < 0.41);
  EXPECT(bright.max().item<double>() <= 0.6 + 1e-6 && bright.max().item<double>() > 0.59);
}

TEST("augmentation: samples that are no images are refused") {
  StreamOptions flips = options(2);
  flips.augmentation.flip = true;
  const auto tokens = Dataset::fromTensors(range(0, 6).view({3, 2}), range(0, 3));
  EXPECT(ERROR_OF(BatchStream(tokens, flips, at::kCPU)).code() == ErrorCode::kDataInvalid);
}

TEST("augmentation: a crop is a part of the image, resized, of the share of area that was asked for") {
  // A ramp along x and one along y: what a crop shows of them says which part it is.
  const int64_t n = 3000, size = 16;
  const at::Tensor middles = (at::arange(size) + 0.5) / size;
  const at::Tensor ramps =
      at::stack({middles.expand({size, size}), middles.unsqueeze(1).expand({size, size})})
          .expand({n, 2, size, size})
          .contiguous();
  const at::Tensor parts = augment(ramps, {.crop = 0.25}, 1, 0, range(0, n));
  const at::Tensor x = parts.select(1, 0).select(1, 8), y = parts.select(1, 1).select(2, 8);
  // Away from the border, where the outermost pixel is repeated, a ramp stays a ramp.
  const auto side = [&](const at::Tensor& ramp) {
    return (ramp.select(1, 10) - ramp.select(1, 5)) * size / 5;
  };
  const at::Tensor area = side(x) * side(y), aspect = side(x) / side(y);
  EXPECT(area.min().item<double>() > 0.249 && area.min().item<double>() < 0.26);
  EXPECT(area.max().item<double>() > 0.97 && area.max().item<double>() < 1.001);
  EXPECT_NEAR(area.mean().item<double>(), 0.62, 0.02);
  EXPECT(aspect.min().item<double>() > 0.749 && aspect.max().item<double>() < 1.334);
  EXPECT(aspect.min().item<double>() < 0.77 && aspect.max().item<double>() > 1.3);
  // It lies within the image, and anywhere there.
  const at::Tensor left = x.select(1, 8) - side(x) * (8.5 / size);
  EXPECT(left.min().item<double>() > -1e-3 && (left + side(x)).max().item<double>() < 1 + 1e-3);
  EXPECT_NEAR((left / (1 - side(x)).clamp_min(0.05)).index({side(x).lt(0.9)}).mean().item<double>(), 0.5,
              0.02);
}

TEST("augmentation: a crop leaves the other draws alone") {
  const at::Tensor images = at::rand({40, 1, 8, 8});
  const Augmentation flips{.shift = 2, .flip = true};
  const at::Tensor before = augment(at::ones({40, 1, 8, 8}), flips, 3, 1, range(0, 40));
  Augmentation both = flips;
  both.crop = 0.5;
  // Of a constant image a crop is the image.
  EXPECT(at::allclose(augment(at::ones({40, 1, 8, 8}), both, 3, 1, range(0, 40)), before, 0, 1e-6));
  EXPECT(
      !at::allclose(augment(images, both, 3, 1, range(0, 40)), augment(images, flips, 3, 1, range(0, 40))));
}
