#pragma once

#include "kernels/math.h"

// A functor is what an operator does to neighbouring elements of one tensor: which streams it reads and
// writes, and by which formula. Both drivers call it (cpu/each_lanes.cc, cuda/each.cuh). It has
//
// - kSums: how many sums over the tensor it makes.
// - Streams, pointers of which element i belongs together; null where optional.
// - idle(): true where the tensor is left as it is, and its sums are 0.
// - scalars(): what all elements share, and stands in the device's memory.
// - kFlushesDenormals, where what is too small for a normal number may be zero.
// - operator()(scalars, io). `Io` stands at some elements: io.load(stream) and io.store(stream, value)
// convert
//   between the stream's type and Io::V, io.load(mask) gives an Io::M, io.sum(k, value) adds to sum k.
//
// T is the type of the master values: float, or double on the plain path. H is the type of the effective
// weight and of its gradient.
namespace espalier::kernels {

struct NoScalars {};

// The flag of the divergence guard: on the device, 1 where nothing may be updated.
ESPALIER_INLINE bool isRaised(const float* flag) { return flag != nullptr && *flag != 0.0f; }

// The mask of a tensor that has none: a selection by it costs nothing.
struct Everything {};
template <class V>
ESPALIER_INLINE V select(Everything, V yes, V) {
  return yes;
}

// Calls body(the mask of these elements), compiled twice: with and without one.
template <class Io, class Body>
ESPALIER_INLINE void underMask(Io& io, const bool* mask, const Body& body) {
  if (mask != nullptr) {
    body(io.load(mask));
  } else {
    body(Everything{});
  }
}

}  // namespace espalier::kernels
