#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "core/value.h"

namespace espalier {

// Where a dataset lies on disk: one file (CIFAR binary, npz already unpacked, safetensors) or a pair.
struct DatasetSource {
  std::string images;  // IDX, npy, safetensors, CIFAR binary; recognised by content
  std::string labels;  // IDX or npy; empty where `images` holds both
  std::optional<int64_t> classes;
};

// Some samples as a network takes them.
struct Batch {
  at::Tensor inputs;   // float32 in [0, 1] for uint8 and float32 images [n, C, H, W]; int64 for token ids
  at::Tensor labels;   // int64 [n]
  at::Tensor indices;  // int64 [n] on the CPU: positions in the dataset that was asked
};

// Samples with labels: storage (in memory, or a memory-mapped file) seen through a selection and a transform.
// Views share storage. Immutable, so it may be read from several threads.
class Dataset : public Handle {
 public:
  static constexpr std::string_view kKind = "Dataset";
  std::string_view kind() const override { return kKind; }
  // { samples, digest }
  Value describe() const override;

  // ERR_IO or ERR_DATA_INVALID that names file, offset, what was expected and what was found.
  static std::shared_ptr<Dataset> open(const DatasetSource& source);
  // samples uint8, float32, int32 or int64, [N, C, H, W], [N, D] or [N, L]; labels int64 [N].
  static std::shared_ptr<Dataset> fromTensors(at::Tensor samples, at::Tensor labels,
                                              std::optional<int64_t> classes = {});

  virtual int64_t size() const = 0;
  virtual std::vector<int64_t> sampleShape() const = 0;  // after the transform, without N
  virtual int64_t classes() const = 0;
  virtual at::Tensor labels() const = 0;  // int64 [N] of the selection
  virtual int64_t bytes() const = 0;      // of the selection, as stored
  // SHA-256 of bytes, selection and transform: hex. Computed once, off the event loop.
  virtual std::string digest() const = 0;

  virtual std::vector<std::shared_ptr<Dataset>> split(const std::vector<double>& fractions,
                                                      uint64_t seed) const = 0;
  virtual std::shared_ptr<Dataset> take(int64_t count, uint64_t seed, bool stratified) const = 0;
  virtual std::shared_ptr<Dataset> resize(int64_t size, std::optional<int64_t> channels) const = 0;
  // Cut by content, not by seed: the same samples are held out whatever the order. {kept, held out}.
  virtual std::pair<std::shared_ptr<Dataset>, std::shared_ptr<Dataset>> holdOut(double fraction) const = 0;

  // The samples at `indices` (CPU int64), transformed, on `device`.
  virtual Batch gather(const at::Tensor& indices, c10::Device device) const = 0;
};
using DatasetPtr = std::shared_ptr<Dataset>;

}  // namespace espalier
