#pragma once

#include <memory>
#include <optional>

#include "core/data/dataset.h"
#include "core/fields.h"

namespace espalier {

// Random changes of training images, in this order: crop, flip, shift, rotation, jitter. Every draw is a
// function of (seed, epoch, position in the dataset), so there is no state to save.
struct Augmentation {
  int64_t shift = 0;    // pixels: zero-pad by that much, crop back at random
  bool flip = false;    // mirror left-right with probability 1/2
  double rotation = 0;  // degrees: uniform in [-rotation, rotation], bilinear, zero fill
  double jitter = 0;    // brightness and contrast factors uniform in [1 - jitter, 1 + jitter]
  // Cut out a part and resize it to the whole, bilinear: its share of the area is uniform in [crop, 1], the
  // logarithm of its aspect uniform in +-log(4/3), as far as the image is large enough.
  double crop = 1;

  bool empty() const { return shift == 0 && !flip && rotation == 0 && jitter == 0 && crop == 1; }
  template <class V>
  void fields(V&& visit) {
    visit("shift", shift, {.min = 0, .max = 64});
    visit("flip", flip);
    visit("rotation", rotation, {.min = 0, .max = 180});
    visit("jitter", jitter, {.min = 0, .max = 1});
    visit("crop", crop, {.min = 0, .max = 1, .exclusiveMin = true});
  }
};

struct StreamOptions {
  int64_t batchSize = 128;
  bool shuffle = true;
  bool dropLast = false;  // leaves out a last batch that is not full
  Augmentation augmentation;
  uint64_t seed = 0;
  // Bytes that may stay resident on the device; a larger dataset is streamed with prefetch. Same batches.
  int64_t residentBytes = int64_t{2} << 30;
};

// The batches of a dataset, epoch after epoch. `at` is a pure function of options, epoch and index: resuming
// needs no state but those two numbers. A streamed one reads the samples that follow on a thread of its own;
// what fails there is thrown by the `at` that asks for them. Thread rule: one user at a time.
class BatchStream {
 public:
  // ERR_DATA_INVALID when `dropLast` leaves no batch, or when augmentation meets samples that are no images.
  BatchStream(DatasetPtr dataset, StreamOptions options, c10::Device device);
  ~BatchStream();
  int64_t batchesPerEpoch() const;
  Batch at(int64_t epoch, int64_t index);
  // Whether the samples stay on the device (tests compare both ways).
  bool resident() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace espalier
