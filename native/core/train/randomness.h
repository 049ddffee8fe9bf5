#pragma once

#include <cstdint>
#include <mutex>

#include <c10/core/Device.h>

namespace espalier {

// Dropout draws from the process's default generator: who trains a network that does so holds a turn for each
// step, with the generator at a seed of its own. A network that draws nothing waits for nobody.
class RandomTurn {
 public:
  RandomTurn(bool draws, c10::Device device, uint64_t seed);

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace espalier
