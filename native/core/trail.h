#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <torch/types.h>

#include "core/model.h"
#include "core/train/state.h"

namespace espalier {

// Where a pruning run stood when a snapshot was taken.
struct TrailPoint {
  int64_t epoch = 0;
  int64_t step = 0;
  double density = 0;   // share kept of the weights that may be pruned
  double accuracy = 0;  // pruned for good at this point, on select data
  template <class V>
  void fields(V&& visit) {
    visit("epoch", epoch);
    visit("step", step);
    visit("density", density);
    visit("accuracy", accuracy);
  }
};

// A tensor of which only what is not zero is held: one bit an element, and the values in order. Dense where
// there are no bits.
struct PackedTensor {
  ConstantTensor bits;
  ConstantTensor values;

  static PackedTensor dense(const at::Tensor& tensor);
  static PackedTensor sparse(const at::Tensor& tensor);
  bool fits(const at::Tensor& target) const;
  // Into a tensor that it fits.
  void unpackInto(const at::Tensor& target) const;
  template <class V>
  void fields(V&& visit) {
    visit("bits", bits);
    visit("values", values);
  }
};

struct TrailSnapshot {
  TrailPoint point;
  std::vector<PackedTensor> tensors;  // the model's parameters, then its buffers; on the CPU

  // `pruned`: paths of the parameters to hold sparsely.
  static TrailSnapshot of(const Model& model, const TrailPoint& point,
                          const std::vector<std::string>& pruned);
  template <class V>
  void fields(V&& visit) {
    visit("point", point);
    visit("tensors", tensors);
  }
};

// The ever sparser models that a pruning run passed through; one is picked by size or by accuracy. Immutable,
// so it may be read from several threads.
class Trail : public Handle {
 public:
  static constexpr std::string_view kKind = "Trail";
  std::string_view kind() const override { return kKind; }
  // { digest, accuracy, points }
  Value describe() const override;

  // `accuracy`: of the model before pruning, on select data. `model` has the structure, and the manifest of
  // the pruned ones but for their sparsity.
  Trail(std::shared_ptr<Model> model, std::vector<std::string> pruned, double accuracy,
        std::vector<TrailSnapshot> snapshots);

  double accuracy() const { return accuracy_; }
  const std::vector<TrailSnapshot>& snapshots() const { return snapshots_; }

  // The densest model with at most that density. ERR_TARGET_UNREACHABLE tells what there is.
  std::shared_ptr<Model> pickDensity(double density) const;
  // The sparsest model whose accuracy is at most `drop` below that before pruning.
  std::shared_ptr<Model> pickAccuracyDrop(double drop) const;

  std::string saveBytes() const;
  void save(const std::string& path) const;
  // The model inside is checked as a file of its own is, and scanned unless it is trusted. ERR_DATA_INVALID
  // names `what`.
  static std::shared_ptr<Trail> fromBytes(std::string_view bytes, std::string_view what, bool trust = false);
  static std::shared_ptr<Trail> load(const std::string& path);

 private:
  std::shared_ptr<Model> modelAt(const TrailSnapshot& snapshot) const;
  void writeTo(const std::function<void(std::string_view)>& sink) const;

  std::shared_ptr<Model> model_;
  std::vector<std::string> pruned_;
  double accuracy_;
  std::vector<TrailSnapshot> snapshots_;
};

}  // namespace espalier
