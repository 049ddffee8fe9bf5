#pragma once

#include <cstdint>

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "kernels/functors/admm.h"
#include "kernels/functors/ltp.h"
#include "kernels/functors/masked_step.h"
#include "kernels/functors/scores.h"
#include "kernels/functors/statistics.h"

// The functors compiled for one instruction set each: cpu/each.cc fills a table, cpu/driver.cc chooses one.
namespace espalier::kernels::cpu {

// Runs a functor over elements [begin, end) of its tensor and adds its sums to `sums`.
template <class Functor>
using RunChunk = void (*)(const Functor&, int64_t begin, int64_t end, double* sums);

template <class Functor>
struct Entry {
  RunChunk<Functor> run;
};
template <class... Functors>
struct Table : Entry<Functors>... {};

// With T = float, and with the type H of effective weights and their gradients.
template <class H>
using FloatTable = Table<MaskedSgd<float, H>, MaskedAdam<float, H>, LtpGate<float, H>, LtpStep<float, H>,
                         ScoreApply<float, H>, ScoreAdam<float, H>, AdmmPenalty<float, H>,
                         Statistics<H, float>, CountNotFinite<H, float>>;
using CommonTable = Table<AdmmShrink<float>, AdmmProject<float>, AdmmDual<float>>;

struct FloatTables : FloatTable<float>, FloatTable<c10::Half>, FloatTable<c10::BFloat16>, CommonTable {};

// float64, on the plain path only.
using DoubleTable =
    Table<MaskedSgd<double, double>, MaskedAdam<double, double>, LtpGate<double, double>,
          LtpStep<double, double>, ScoreApply<double, double>, ScoreAdam<double, double>,
          AdmmPenalty<double, double>, Statistics<double, double>, CountNotFinite<double, double>,
          AdmmShrink<double>, AdmmProject<double>, AdmmDual<double>>;

extern const FloatTables kFloatDefault;
extern const FloatTables kFloatAvx2;
extern const FloatTables kFloatAvx512;
extern const DoubleTable kDouble;

}  // namespace espalier::kernels::cpu
