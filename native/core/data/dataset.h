#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "core/value.h"

namespace espalier {

// Where a dataset lies on disk. The content says which format a file has; only CIFAR records, which carry no
// mark, are known by the name *.bin.
//   IDX, npy       images and labels, a file each, of either format
//   safetensors    one file with the tensors `images` and `labels`
//   CIFAR binary   one file; or a folder, which means its training data: data_batch_<n>.bin in the order of
//                  <n>, or train.bin (test_batch.bin and test.bin are opened by their own path)
struct DatasetSource {
  std::string images;
  std::string labels;              // empty where `images` holds both
  std::optional<int64_t> classes;  // default: the largest label + 1
};

// Some samples as a network takes them.
struct Batch {
  at::Tensor inputs;   // float32 in [0, 1] for uint8 and float32 images [n, C, H, W]; int64 for token ids
  at::Tensor labels;   // int64 [n]
  at::Tensor indices;  // int64 [n] on the CPU: positions in the dataset that was asked
};

// Samples with labels: storage (in memory, or a memory-mapped file) seen through a selection and a transform.
// Views share storage. Immutable, so it may be read from several threads. The transform is applied to a
// batch, on its device; storage keeps the bytes as they are.
//
// A mapped file that somebody changes while it is open is ERR_IO at the next read, never other samples.
class Dataset : public Handle {
 public:
  static constexpr std::string_view kKind = "Dataset";
  std::string_view kind() const override { return kKind; }
  // { samples, digest }
  Value describe() const override;

  // ERR_IO or ERR_DATA_INVALID that names file, offset, what was expected and what was found.
  static std::shared_ptr<Dataset> open(const DatasetSource& source);
  // samples uint8, float32, int32 or int64: [N, C, H, W], [N, H, W] (one channel), [N, D] or [N, L]; labels
  // int64 [N]. Takes the tensors over: nobody may write them afterwards.
  static std::shared_ptr<Dataset> fromTensors(at::Tensor samples, const at::Tensor& labels,
                                              std::optional<int64_t> classes = {});

  virtual int64_t size() const = 0;
  virtual std::vector<int64_t> sampleShape() const = 0;  // after the transform, without N
  virtual int64_t classes() const = 0;
  virtual at::Tensor labels() const = 0;  // int64 [N] of the selection
  // Samples per class; a class may be empty.
  std::vector<int64_t> classCounts() const;
  virtual int64_t bytes() const = 0;  // of the selection, as stored
  // SHA-256 of bytes, selection and transform: hex. Computed once, off the event loop.
  virtual std::string digest() const = 0;

  // Disjoint parts of round(fraction * size) samples, drawn by `seed`; fractions that sum to 1 leave none
  // out.
  virtual std::vector<std::shared_ptr<Dataset>> split(const std::vector<double>& fractions,
                                                      uint64_t seed) const = 0;
  // `count` samples drawn by `seed`; stratified: each class keeps its share to within one sample. Of two
  // counts the smaller one's samples are among the larger one's (stratified: where each class's share grows).
  virtual std::shared_ptr<Dataset> take(int64_t count, uint64_t seed, bool stratified) const = 0;
  // Square images of `size` pixels by bilinear interpolation (pixel centres, no antialiasing); `channels`
  // repeats a single channel.
  virtual std::shared_ptr<Dataset> resize(int64_t size, std::optional<int64_t> channels) const = 0;
  // Square images of `size` pixels by zeros around the image (an odd pixel goes below and to the right).
  virtual std::shared_ptr<Dataset> pad(int64_t size) const = 0;
  // Images with a pattern [C, H, W], float32, added to each, saturated at 1; `name` stands for it in digests.
  virtual std::shared_ptr<Dataset> overlay(const at::Tensor& pattern, const std::string& name) const = 0;
  // Cut by content, not by seed: the same samples are held out whatever the order, and copies of one sample
  // stay together. {kept, held out}.
  virtual std::pair<std::shared_ptr<Dataset>, std::shared_ptr<Dataset>> holdOut(double fraction) const = 0;

  // The samples at `indices` (CPU int64) as stored, on the CPU.
  virtual at::Tensor stored(const at::Tensor& indices) const = 0;
  // All samples as stored, on `device`; one copy for all who hold it at the same time.
  virtual at::Tensor resident(c10::Device device) const = 0;
  // Samples as stored, on any device, to inputs of a network.
  virtual at::Tensor transformed(at::Tensor samples) const = 0;
  // The samples at `indices` (CPU int64), transformed, on `device`.
  Batch gather(const at::Tensor& indices, c10::Device device) const;
};
using DatasetPtr = std::shared_ptr<Dataset>;

}  // namespace espalier
