#include "core/exact_test.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace espalier {

double log10McNemar(int64_t first, int64_t second) {
  if (first <= 0) return 0;
  const int64_t n = first + second;
  const auto logFactorial = [](int64_t k) { return std::lgamma(static_cast<double>(k) + 1); };
  // A sum of binomial coefficients, each over the largest of them: none overflows.
  const auto logChoose = [&](int64_t k) { return logFactorial(n) - logFactorial(k) - logFactorial(n - k); };
  double largest = logChoose(first);
  for (int64_t k = first; k <= n; ++k) largest = std::max(largest, logChoose(k));
  double sum = 0;
  for (int64_t k = first; k <= n; ++k) sum += std::exp(logChoose(k) - largest);
  const double natural = largest + std::log(sum) - static_cast<double>(n) * std::numbers::ln2;
  return std::min(0.0, natural / std::numbers::ln10);
}

}  // namespace espalier
