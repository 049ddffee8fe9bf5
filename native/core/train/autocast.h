#pragma once

#include <ATen/autocast_mode.h>

#include "core/fields.h"

namespace espalier {

enum class Precision { kFloat32, kBfloat16, kFloat16 };
template <>
struct EnumNames<Precision> {
  static constexpr EnumName<Precision> kNames[] = {
      {Precision::kFloat32, "float32"}, {Precision::kBfloat16, "bfloat16"}, {Precision::kFloat16, "float16"}};
};

// Runs what is in its scope under mixed precision; the weights themselves stay float32.
class AutocastScope {
 public:
  AutocastScope(c10::DeviceType device, Precision precision)
      : device_(device), on_(precision != Precision::kFloat32) {
    if (!on_) return;
    before_ = at::autocast::is_autocast_enabled(device_);
    typeBefore_ = at::autocast::get_autocast_dtype(device_);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, precision == Precision::kBfloat16 ? at::kBFloat16 : at::kHalf);
    at::autocast::increment_nesting();
  }
  ~AutocastScope() {
    if (!on_) return;
    // The cache holds casts of weights that the optimiser is about to change in place.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_dtype(device_, typeBefore_);
    at::autocast::set_autocast_enabled(device_, before_);
  }
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  c10::DeviceType device_;
  bool on_;
  bool before_ = false;
  at::ScalarType typeBefore_ = at::kFloat;
};

}  // namespace espalier
