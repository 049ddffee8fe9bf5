#pragma once

#include <memory>
#include <vector>

#include "kernels/cuda/emulation/emulation.h"

namespace espalier::emulation {

struct Random {
  uint64_t state;
  // xorshift64*
  uint64_t next() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dULL;
  }
  unsigned below(size_t bound) { return static_cast<unsigned>((next() >> 32) % bound); }
};

// Runs one block after the other; what waits at a barrier is the backend's to know.
struct Block {
  virtual ~Block() = default;
  virtual void run(unsigned block, const std::function<void()>& kernel) = 0;
  virtual void waitForBlock() = 0;
  virtual void waitForWarp() = 0;
};

// The block of the thread that runs a kernel; current() is its place in it.
extern Block* running;
extern thread_local Thread* place;
// Two for each thread of the block.
extern std::vector<uint64_t> slots;

std::unique_ptr<Block> makeFibers(unsigned threads, unsigned blocks, Random& random);
std::unique_ptr<Block> makeThreads(unsigned threads, unsigned blocks);

}  // namespace espalier::emulation
