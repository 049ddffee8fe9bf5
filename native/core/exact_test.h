#pragma once

#include <cstdint>

namespace espalier {

// McNemar's test in its exact form, one-sided (McNemar 1947; the binomial tail): the decadic logarithm of the
// probability of at least `first` of `first + second` changed answers going one way where both ways are
// equally likely. 0 where nothing changed. Exact far below what a double holds: 500 of 500 is -150.5.
double log10McNemar(int64_t first, int64_t second);

}  // namespace espalier
