#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <torch/types.h>

#include "core/mask.h"
#include "core/model.h"
#include "core/value.h"

namespace espalier {

// What only an owner holds: a secret, from which patterns are derived (core/patch.h), or what opens a model
// that was locked by cutting weights out of it, the cut values, bit for bit. It is written readable to its
// owner alone, and reports, manifests, logs and checkpoints hold its digest at most. Immutable, so it may be
// read from several threads.
class Key : public Handle {
 public:
  static constexpr std::string_view kKind = "Key";
  std::string_view kind() const override { return kKind; }
  // { digest, holds: 'secret' | 'weights', masked (null for a secret), weights }
  Value describe() const override;

  struct Entry {
    std::string path;   // of the weight: "features.0.weight"
    at::Tensor cut;     // bool, the weight's shape, on the CPU: true where a value was taken out
    at::Tensor values;  // of the weight's dtype, on the CPU: what was there, in the order of its elements
  };

  // Bytes of a secret.
  static constexpr size_t kSecretBytes = 32;
  // A secret from the operating system's generator, never from a seed. ERR_IO where it gives none.
  static std::shared_ptr<Key> create();
  // The secret that follows from a text, for who must be repeatable and has nothing to guard.
  static std::shared_ptr<Key> derive(std::string_view text);

  // Takes the values that `mask` does not keep out of `model`, which nobody else holds, and holds them.
  // ERR_OUT_OF_RANGE where the mask does not fit.
  static std::shared_ptr<Key> cut(Model& model, const Mask& mask);
  // ERR_CHECKPOINT_INVALID or ERR_DATA_INVALID names `what`.
  static std::shared_ptr<Key> fromBytes(std::string_view bytes, std::string_view what);
  static std::shared_ptr<Key> load(const std::string& path);

  // Its bytes. ERR_INVALID_ARG_TYPE for a key that holds weights; `who` asks.
  const std::string& secret(std::string_view who) const;

  // Puts the values back into a copy of the model that they were taken from. ERR_OUT_OF_RANGE for another
  // model, or for one that was changed since; ERR_INVALID_ARG_TYPE for a secret; ERR_DATA_INVALID where what
  // comes out is not what was locked.
  void restore(Model& model) const;

  const std::vector<Entry>& entries() const { return entries_; }
  const std::string& masked() const { return masked_; }  // digest of the model that it opens
  const std::string& dense() const { return dense_; }    // of what it was before
  int64_t weights() const;                               // how many values it holds

  std::string saveBytes() const;
  void save(const std::string& path) const;

 private:
  Key() = default;
  void writeTo(const std::function<void(std::string_view)>& sink) const;

  std::string secret_;  // empty in a key that holds weights
  std::vector<Entry> entries_;
  std::string masked_;
  std::string dense_;
  Value pruned_ = Value::Map{};  // what the manifest said about sparsity before
};

}  // namespace espalier
