#include "kernels/cuda/emulation/emulation.h"

#include <algorithm>
#include <numeric>

#include "kernels/cuda/emulation/block.h"

namespace espalier::emulation {

Block* running = nullptr;
thread_local Thread* place = nullptr;
std::vector<uint64_t> slots;

Settings& settings() {
  static Settings values;
  return values;
}

Thread& current() { return *place; }
void blockBarrier() { running->waitForBlock(); }
void warpBarrier() { running->waitForWarp(); }

// Slots alternate: a thread that is one exchange ahead writes to the others.
const uint64_t* exchange(uint64_t bits) {
  Thread& own = current();
  uint64_t* all = slots.data() + (own.turn++ % 2) * own.threads.x;
  all[own.thread.x] = bits;
  warpBarrier();
  return all;
}

void launch(unsigned blocks, unsigned threads, const std::function<void()>& kernel) {
  const Settings& wanted = settings();
  if (wanted.threads > 0) threads = std::min(threads, wanted.threads);
  if (wanted.blocks > 0) blocks = std::min(blocks, wanted.blocks);
  if (threads == 0 || threads % kWarpSize != 0) throw Fault("expected blocks of whole warps");
  Random random{wanted.seed * 0x9e3779b97f4a7c15ULL + 1};
  slots.assign(size_t{2} * threads, 0);
  const std::unique_ptr<Block> block =
      wanted.backend == Backend::kFibers ? makeFibers(threads, blocks, random) : makeThreads(threads, blocks);
  running = block.get();
  std::vector<unsigned> order(blocks);
  std::iota(order.begin(), order.end(), 0);
  for (size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[random.below(left)]);
  for (const unsigned index : order) block->run(index, kernel);
  running = nullptr;
}

}  // namespace espalier::emulation
