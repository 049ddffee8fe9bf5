#include "core/attack/grid.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "check.h"

using namespace espalier;

namespace {

at::Tensor numbers(std::initializer_list<double> values, at::ScalarType type = at::kFloat) {
  return torch::tensor(at::ArrayRef<double>(values.begin(), values.size()), at::kDouble).to(type);
}

at::Tensor normal(at::IntArrayRef shape, at::ScalarType type) {
  const at::Generator generator = at::detail::createCPUGenerator(7);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble)).to(type);
}

}  // namespace

TEST("grid: the values worked out by hand, ties to even") {
  // Three bits: -3 to 3 steps of 3 / 3.
  const at::Tensor weights = numbers({3, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.6, -0.4, 0});
  EXPECT(quantized(weights, 3, {}).equal(numbers({3, 0, 2, 2, 0, -2, -2, 1, 0, 0})));
  // Two bits: -1, 0 and 1 times the largest.
  EXPECT(quantized(numbers({-0.8, 0.3, 0.5, 0.41}), 2, {}).equal(numbers({-0.8, 0, 0.8, 0.8})));
  // Eight: the step is 1.27 / 127.
  const at::Tensor fine = quantized(numbers({1.27, 0.014, -0.016, 0.6349}, at::kDouble), 8, {});
  EXPECT(fine.allclose(numbers({1.27, 0.01, -0.02, 0.63}, at::kDouble), 1e-14, 1e-14));
}

TEST("grid: a scale a channel, along any dimension") {
  const at::Tensor weights = torch::stack({numbers({3, 1.4, -0.4}), numbers({-30, 14, 4})});
  const at::Tensor rounded = torch::stack({numbers({3, 1, 0}), numbers({-30, 10, 0})});
  EXPECT(quantized(weights, 3, 0).equal(rounded));
  EXPECT(quantized(weights.t(), 3, 1).equal(rounded.t()));
  // One scale for all: 10.
  EXPECT(quantized(weights, 3, {}).equal(torch::stack({numbers({0, 0, 0}), numbers({-30, 10, 0})})));
  EXPECT(quantized(numbers({3, -1.4}), 3, 0).equal(numbers({3, -1.4})));  // a channel a weight
}

TEST("grid: zeros and channels of zeros stay, whatever the bits") {
  at::Tensor weights = normal({5, 4, 3, 3}, at::kFloat);
  weights.select(0, 2).zero_();
  weights.masked_fill_(weights.abs().lt(0.3), 0);
  for (const int64_t bits : {2, 4, 8, 16}) {
    for (const auto& channel : {std::optional<int64_t>(), std::optional<int64_t>(0)}) {
      const at::Tensor rounded = quantized(weights, bits, channel);
      EXPECT(rounded.isfinite().all().item<bool>());
      EXPECT(rounded.masked_select(weights.eq(0)).eq(0).all().item<bool>());
    }
  }
  EXPECT_EQ(quantized(torch::zeros({0, 3}), 4, 0).numel(), 0);
}

TEST("grid: no weight is off by more than half a scale, and few values are left") {
  for (const int64_t bits : {2, 3, 5, 8, 16}) {
    const at::Tensor weights = normal({6, 50}, at::kDouble);
    const at::Tensor rounded = quantized(weights, bits, 0);
    const at::Tensor scale =
        weights.abs().amax({1}, /*keepdim=*/true) / static_cast<double>((1 << (bits - 1)) - 1);
    EXPECT(((rounded - weights).abs() <= scale / 2 * (1 + 1e-12)).all().item<bool>());
    EXPECT(((rounded / scale - (rounded / scale).round()).abs() < 1e-9).all().item<bool>());
    for (int64_t row = 0; row < 6; ++row) {
      const auto values = std::get<0>(at::_unique(rounded.select(0, row))).numel();
      EXPECT(values <= (1 << bits) - 1);
    }
  }
}

TEST("grid: a second rounding changes nothing, and the largest weight stays") {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (int64_t bits = 2; bits <= 16; ++bits) {
      const at::Tensor weights = normal({16, 9, 3, 3}, type);
      for (const auto& channel : {std::optional<int64_t>(), std::optional<int64_t>(0)}) {
        const at::Tensor once = quantized(weights, bits, channel);
        EXPECT_EQ(once.scalar_type(), type);
        EXPECT(quantized(once, bits, channel).equal(once));
        EXPECT(once.abs().amax().equal(weights.abs().amax()));
      }
    }
  }
}

TEST("grid: the given weights stay, and half precision is kept") {
  const at::Tensor weights = normal({8, 8}, at::kHalf);
  const at::Tensor copy = weights.clone();
  const at::Tensor rounded = quantized(weights, 4, 0);
  EXPECT(weights.equal(copy));
  EXPECT_EQ(rounded.scalar_type(), at::kHalf);
  EXPECT(quantized(rounded, 4, 0).equal(rounded));
}
