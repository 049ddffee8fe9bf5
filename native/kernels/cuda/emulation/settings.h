#pragma once

#include <cstdint>
#include <stdexcept>

// How the emulation launches kernels: for who runs them and needs no CUDA words.
namespace espalier::emulation {

enum class Backend {
  kFibers,   // all in the calling thread, switched at barriers
  kThreads,  // one thread of the system for each of the block
};

struct Settings {
  Backend backend = Backend::kFibers;
  uint64_t seed = 1;
  unsigned threads = 0;  // of a block, in whole warps, at most what the kernel asks for; 0: that many
  unsigned blocks = 0;   // at most so many; 0: what the kernel asks for
};
Settings& settings();

// A kernel that would hang or be undefined on a device.
struct Fault : std::logic_error {
  using std::logic_error::logic_error;
};

}  // namespace espalier::emulation
