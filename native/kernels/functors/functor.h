#pragma once

#include "kernels/math.h"

// A functor is what an operator does to neighbouring elements of one tensor: which streams it reads and
// writes, and by which formula. It has
//
//   static constexpr int kSums;                     how many sums over the tensor it makes
//   T* weight; const H* gradient; ...               streams: element i of each belongs together; null where
//   optional bool idle() const;                              true: the tensor is left as it is, its sums are
//   0 Scalars scalars() const;                        what all elements share and stands in the device's
//   memory template <class Io> void operator()(const Scalars&, Io&) const;
//
// and both drivers (cpu/each.cc, cuda/each.cuh) call it. `Io` stands at some elements: io.load(stream) and
// io.store(stream, value) convert between the stream's type and Io::V; io.load(mask) gives an Io::M;
// io.all() an Io::M that is true; io.sum(k, value) adds to sum k.
//
// T is the type of the master values: float, or double on the plain path. H is the type of the effective
// weight and of its gradient.
namespace espalier::kernels {

struct NoScalars {};

// The flag of the divergence guard: on the device, 1 where nothing may be updated.
ESPALIER_INLINE bool isRaised(const float* flag) { return flag != nullptr && *flag != 0.0f; }

template <class Io>
ESPALIER_INLINE typename Io::M loadMask(Io& io, const bool* mask) {
  return mask != nullptr ? io.load(mask) : io.all();
}

}  // namespace espalier::kernels
