#pragma once

#include <torch/types.h>

#include "core/fields.h"

namespace espalier {

// What a cap on a loss that is pushed up holds for.
enum class CapOver { kSample, kBatch };
template <>
struct EnumNames<CapOver> {
  static constexpr EnumName<CapOver> kNames[] = {{CapOver::kSample, "sample"}, {CapOver::kBatch, "batch"}};
};

// The mean of `losses`, [n], none of which counts above `cap`; or their mean, which does not count above it:
// then a few that are far off end the push for all.
inline at::Tensor cappedMean(const at::Tensor& losses, double cap, CapOver over) {
  return over == CapOver::kSample ? losses.clamp_max(cap).mean() : losses.mean().clamp_max(cap);
}

}  // namespace espalier
