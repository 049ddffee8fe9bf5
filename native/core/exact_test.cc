#include "core/exact_test.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace espalier {

double log10McNemar(int64_t first, int64_t second) {
  const auto n = static_cast<double>(first + second);
  if (first <= 0) return 0;
  // A sum of binomial coefficients, each over the largest of them: none overflows.
  const auto logChoose = [n](double k) {
    return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
  };
  double largest = logChoose(static_cast<double>(first));
  for (double k = static_cast<double>(first); k <= n; ++k) largest = std::max(largest, logChoose(k));
  double sum = 0;
  for (double k = static_cast<double>(first); k <= n; ++k) sum += std::exp(logChoose(k) - largest);
  const double natural = largest + std::log(sum) - n * std::numbers::ln2;
  return std::min(0.0, natural / std::numbers::ln10);
}

}  // namespace espalier
