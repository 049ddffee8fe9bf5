#include "core/exact_test.h"

#include <cmath>

#include "check.h"

using namespace espalier;

namespace {

// The binomial tail in whole numbers: P(X >= first) of first + second fair coins.
double tail(int64_t first, int64_t second) {
  const int64_t n = first + second;
  long double choose = 1;  // n over k
  long double sum = 0;
  for (int64_t k = 0; k <= n; ++k) {
    if (k >= first) sum += choose;
    choose = choose * static_cast<long double>(n - k) / static_cast<long double>(k + 1);
  }
  return static_cast<double>(std::log10(sum / std::exp2(static_cast<long double>(n))));
}

}  // namespace

TEST("McNemar's exact test: the binomial tail") {
  EXPECT_NEAR(std::pow(10, log10McNemar(3, 1)), 5.0 / 16, 1e-12);
  EXPECT_NEAR(std::pow(10, log10McNemar(1, 1)), 3.0 / 4, 1e-12);
  for (int64_t first = 0; first <= 60; ++first) {
    for (const int64_t second : {0, 1, 7, 40})
      EXPECT_NEAR(log10McNemar(first, second), tail(first, second), 1e-10);
  }
}

TEST("McNemar's exact test: nothing changed is no evidence, and 500 of 500 has a figure") {
  EXPECT_EQ(log10McNemar(0, 0), 0.0);
  EXPECT_EQ(log10McNemar(0, 9), 0.0);
  EXPECT_NEAR(log10McNemar(500, 0), -500 * std::log10(2.0), 1e-9);
  EXPECT_NEAR(log10McNemar(5000, 0), -5000 * std::log10(2.0), 1e-8);
}
