#include "core/blocks.h"

#include <cmath>
#include <thread>

#include <ATen/ATen.h>

#include "check.h"

namespace espalier {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kIsKept = false;
#else
constexpr bool kIsKept = true;
#endif

constexpr int64_t kLarge = int64_t{1} << 18;  // floats

at::Tensor floats(int64_t count) { return at::empty({count}); }

const void* freed(at::Tensor tensor) { return tensor.const_data_ptr(); }

}  // namespace

TEST("blocks: in a scope a large block that was given back is the next of about its size") {
  installBlocks();
  const BlockScope scope;
  const void* first = freed(floats(kLarge));
  if (kIsKept) EXPECT(scope.idle() >= kLarge * sizeof(float));
  const at::Tensor same = floats(kLarge);
  EXPECT((same.const_data_ptr() == first) == kIsKept);
  EXPECT(scope.idle() == 0);
  const void* second = freed(floats(kLarge));
  EXPECT((floats(kLarge - kLarge / 16).const_data_ptr() == second) == kIsKept);
  const at::Tensor half = floats(kLarge / 2);
  EXPECT(half.const_data_ptr() != second);
  const size_t idle = scope.idle();
  freed(floats(8));
  EXPECT(scope.idle() == idle);
}

TEST("blocks: no more is held than twice what was in use at once, the oldest given up first") {
  installBlocks();
  const BlockScope scope;
  const auto holds = [&](double expected) {
    const double idle = static_cast<double>(scope.idle()) / static_cast<double>(kLarge * sizeof(float));
    return std::abs(idle - (kIsKept ? expected : 0)) < 0.01;
  };
  {
    const at::Tensor one = floats(2 * kLarge);
    const at::Tensor other = floats(2 * kLarge);
  }
  EXPECT(holds(4));
  freed(floats(3 * kLarge));
  EXPECT(holds(7));
  // Eight may be held: one of the two is given up, and the other is there.
  const at::Tensor third = floats(kLarge + kLarge / 2);
  EXPECT(holds(5));
  const at::Tensor one = floats(2 * kLarge);
  EXPECT(holds(3));
}

TEST("blocks: given back by another thread, in a scope within, and after the scope") {
  installBlocks();
  at::Tensor later;
  {
    const BlockScope scope;
    at::Tensor here = floats(kLarge).fill_(1);
    std::thread([&] { here.reset(); }).join();
    EXPECT((scope.idle() > 0) == kIsKept);
    {
      const BlockScope within;
      later = floats(kLarge).fill_(2);
      EXPECT(scope.idle() == 0);
      EXPECT(within.idle() == 0);
    }
    freed(floats(kLarge));
    EXPECT((scope.idle() > 0) == kIsKept);
  }
  EXPECT(at::equal(later, at::full({kLarge}, 2)));
  later.reset();
  EXPECT(at::empty({0}).numel() == 0);
  EXPECT(at::ones({3}).resize_({kLarge})[2].item<float>() == 1);
}

}  // namespace espalier
