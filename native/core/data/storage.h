#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "core/data/array_file.h"
#include "core/data/mapped_file.h"

namespace espalier {

// Samples that follow one another at a fixed stride, in a mapped file or in a tensor that Storage keeps.
struct Run {
  const uint8_t* first;
  int64_t count;
  int64_t stride;      // bytes
  MappedFilePtr file;  // null: in memory
};

// The bytes of labelled samples, checked once when it is made: types, shape, labels, no NaN or infinity.
// Immutable; datasets share it.
class Storage {
 public:
  static std::shared_ptr<const Storage> fromTensors(at::Tensor samples, const at::Tensor& labels,
                                                    std::optional<int64_t> classes);
  static std::shared_ptr<const Storage> fromArrays(const Array& samples, const Array& labels,
                                                   std::optional<int64_t> classes);
  static std::shared_ptr<const Storage> fromCifar(const std::vector<std::string>& paths,
                                                  std::optional<int64_t> classes);

  int64_t size() const { return labels_.size(0); }
  at::ScalarType type() const { return type_; }
  const std::vector<int64_t>& sampleShape() const { return sampleShape_; }  // [C, H, W] or [D]
  int64_t sampleBytes() const { return sampleBytes_; }
  int64_t classes() const { return classes_; }
  const at::Tensor& labels() const { return labels_; }  // int64 [N]
  // All samples where they lie in memory in one piece; otherwise undefined.
  const at::Tensor& inMemory() const { return memory_; }

  // The samples at `indices` (CPU int64, in range), [n, ...sampleShape].
  at::Tensor read(const at::Tensor& indices) const;
  // Calls visit(bytes) for each of `indices`, in order.
  template <class Visit>
  void forEach(const at::Tensor& indices, const Visit& visit) const {
    checkUnchanged();
    const auto* index = indices.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < indices.size(0); ++i) visit(sample(index[i]));
  }

 private:
  Storage(at::ScalarType type, std::vector<int64_t> shape, std::vector<Run> runs);
  static std::shared_ptr<Storage> inMemory(at::Tensor samples);
  void setLabels(at::Tensor labels, std::optional<int64_t> classes, const std::string& samplesTitle,
                 const std::string& labelsTitle);
  void requireFinite(const std::string& title) const;
  const Run& runOf(int64_t& index) const;
  const uint8_t* sample(int64_t index) const;
  void checkUnchanged() const;

  at::ScalarType type_;
  std::vector<int64_t> sampleShape_;
  int64_t sampleBytes_;
  std::vector<Run> runs_;
  at::Tensor memory_;
  at::Tensor labels_;
  int64_t classes_ = 0;
};
using StoragePtr = std::shared_ptr<const Storage>;

}  // namespace espalier
