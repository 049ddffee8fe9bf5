#pragma once

#include <cstdint>

#include "kernels/functors/list.h"

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

template <class H>
using FloatTable = FloatFunctors<Table, H>;
using CommonTable = CommonFunctors<Table>;

struct FloatTables : FloatTable<float>, FloatTable<c10::Half>, FloatTable<c10::BFloat16>, CommonTable {};

// float64, on the plain path only.
using DoubleTable = DoubleFunctors<Table>;

extern const FloatTables kFloatDefault;
extern const FloatTables kFloatAvx2;
extern const FloatTables kFloatAvx512;
extern const DoubleTable kDouble;

}  // namespace espalier::kernels::cpu
