#pragma once

#include "kernels/functors/functor.h"

// ADMM for sparse weights (Boyd et al. 2011, section 9.1), scaled dual: W is trained, Z is its sparse image,
// U the running sum of what parts them. A masked entry counts as zero in Z and takes no penalty.
namespace espalier::kernels {

// gradient += rho * (W - Z + U), the gradient of rho / 2 * ||W - Z + U||^2.
template <class T, class H>
struct AdmmPenalty {
  static constexpr int kSums = 1;  // ||W - Z + U||^2
  using Scalars = NoScalars;
  H* gradient = nullptr;
  const T* weight = nullptr;
  const T* sparse = nullptr;
  const T* dual = nullptr;
  const bool* mask = nullptr;
  T rho = 0;

  ESPALIER_INLINE bool idle() const { return false; }
  ESPALIER_INLINE Scalars scalars() const { return {}; }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars& at, Io& io) const {
    underMask(io, mask, [&](auto kept) { apply(at, io, kept); });
  }
  template <class Io, class M>
  ESPALIER_INLINE void apply(const Scalars&, Io& io, M kept) const {
    using V = typename Io::V;
    const V zero(T(0));
    const V gap = select(kept, io.load(weight) - io.load(sparse) + io.load(dual), zero);
    io.store(gradient, select(kept, fma(V(rho), gap, io.load(gradient)), zero));
    io.sum(0, gap * gap);
  }
};

// Z = soft threshold of W + U by `delta`: the proximal step of an L1 term of weight delta * rho.
template <class T>
struct AdmmShrink {
  static constexpr int kSums = 1;  // entries of Z that are not zero
  using Scalars = NoScalars;
  T* sparse = nullptr;
  const T* weight = nullptr;
  const T* dual = nullptr;
  const bool* mask = nullptr;
  T delta = 0;

  ESPALIER_INLINE bool idle() const { return false; }
  ESPALIER_INLINE Scalars scalars() const { return {}; }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars& at, Io& io) const {
    underMask(io, mask, [&](auto kept) { apply(at, io, kept); });
  }
  template <class Io, class M>
  ESPALIER_INLINE void apply(const Scalars&, Io& io, M kept) const {
    using V = typename Io::V;
    const V zero(T(0));
    const V z = select(kept, softThreshold(io.load(weight) + io.load(dual), V(delta)), zero);
    io.store(sparse, z);
    io.sum(0, select(abs(z) > zero, V(T(1)), zero));
  }
};

// Z = W + U where kept, else 0: the first half of the projection on the largest k, and with the mask of the k
// largest (select_lowest) the second.
template <class T>
struct AdmmProject {
  static constexpr int kSums = 0;
  using Scalars = NoScalars;
  T* sparse = nullptr;
  const T* weight = nullptr;
  const T* dual = nullptr;
  const bool* mask = nullptr;

  ESPALIER_INLINE bool idle() const { return false; }
  ESPALIER_INLINE Scalars scalars() const { return {}; }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars& at, Io& io) const {
    underMask(io, mask, [&](auto kept) { apply(at, io, kept); });
  }
  template <class Io, class M>
  ESPALIER_INLINE void apply(const Scalars&, Io& io, M kept) const {
    using V = typename Io::V;
    io.store(sparse, select(kept, io.load(weight) + io.load(dual), V(T(0))));
  }
};

// U += W - Z, and how far W is from Z.
template <class T>
struct AdmmDual {
  static constexpr int kSums = 2;  // ||W - Z||^2, ||W||^2
  using Scalars = NoScalars;
  T* dual = nullptr;
  const T* weight = nullptr;
  const T* sparse = nullptr;

  ESPALIER_INLINE bool idle() const { return false; }
  ESPALIER_INLINE Scalars scalars() const { return {}; }
  template <class Io>
  ESPALIER_INLINE void operator()(const Scalars&, Io& io) const {
    using V = typename Io::V;
    const V w = io.load(weight);
    const V gap = w - io.load(sparse);
    io.store(dual, io.load(dual) + gap);
    io.sum(0, gap * gap);
    io.sum(1, w * w);
  }
};

}  // namespace espalier::kernels
