#include "core/train/randomness.h"

#include <ATen/Context.h>

namespace espalier {

static std::mutex& randomnessMutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

RandomTurn::RandomTurn(bool draws, c10::Device device, uint64_t seed) {
  if (!draws) return;
  lock_ = std::unique_lock(randomnessMutex());
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::scoped_lock lock(generator.mutex());
  generator.set_current_seed(seed);
}

}  // namespace espalier
