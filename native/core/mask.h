#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <torch/types.h>

#include "core/model.h"
#include "core/value.h"

namespace espalier {

// Which weights of a model are kept: a boolean tensor per layer weight, true where kept, on the CPU.
// Immutable, so it may be read from several threads.
class Mask : public Handle {
 public:
  static constexpr std::string_view kKind = "Mask";
  std::string_view kind() const override { return kKind; }
  // { digest, weights, kept, dense }; the digest is that of the pattern, whatever model it was made for
  Value describe() const override;

  struct Entry {
    std::string path;  // of the weight: "features.0.weight"
    at::Tensor kept;   // bool, the weight's shape
  };

  // `dense`: digest of the one model that it was made for; empty where it fits any of these shapes.
  explicit Mask(std::vector<Entry> entries, std::string dense = {});
  // A model's mask: the nonzero pattern of its prunable weights, and of what its manifest lists as pruned.
  static std::shared_ptr<Mask> ofNonZeros(const Model& model);
  // The format of saveBytes(); ERR_CHECKPOINT_INVALID names `what`.
  static std::shared_ptr<Mask> fromBytes(std::string_view bytes, std::string_view what);
  static std::shared_ptr<Mask> load(const std::string& path);

  const std::vector<Entry>& entries() const { return entries_; }
  const std::string& dense() const { return dense_; }
  int64_t weights() const;
  int64_t kept() const;
  double sparsity() const;

  // Zeroes what is not kept, in place. ERR_OUT_OF_RANGE when a path or shape does not fit the model.
  void apply(Model& model) const;
  // For an optimiser over model.parameters(): on the model's device, undefined where nothing is masked.
  std::vector<at::Tensor> parallelTo(const Model& model) const;

  std::string saveBytes() const;
  void save(const std::string& path) const;

 private:
  // The bytes of the mask's file, piece by piece.
  void writeTo(const Value& metadata, const std::function<void(std::string_view)>& sink) const;

  std::vector<Entry> entries_;
  std::string dense_;
};

// Applies the mask, and writes into the manifest which weights it cut and how sparse the model is: what later
// training with keepZeros holds.
void prune(Model& model, const Mask& mask);

// After a change of the weights: the manifest of a model that says how sparse it is says it anew.
void restateSparsity(Model& model);

// Whether training keeps the zeros of a model: as the option says, or, where it is 'auto', where the manifest
// says that the model is pruned.
bool keepsZeros(const Model& model, const LiteralOr<"auto", bool>& option);

// The fraction of zeros in the prunable weights of a model, exact, each tied weight once.
double weightSparsity(const Model& model);

}  // namespace espalier
