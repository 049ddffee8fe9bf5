#include <barrier>
#include <thread>

#include "kernels/cuda/emulation/block.h"

// Emulated threads as threads: for the thread sanitizer, which then knows what the barriers order.
namespace espalier::emulation {

namespace {

class Threads : public Block {
 public:
  Threads(unsigned threads, unsigned blocks) : threads_(threads), blocks_(blocks), atBlock_(threads) {
    for (unsigned i = 0; i < threads; i += kWarpSize) {
      atWarp_.push_back(std::make_unique<std::barrier<>>(kWarpSize));
    }
  }

  void run(unsigned block, const std::function<void()>& kernel) override {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < threads_; ++i) {
      threads.emplace_back([&, i] {
        Thread own{{i}, {block}, {threads_}, {blocks_}};
        place = &own;
        kernel();
        place = nullptr;
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void waitForBlock() override { atBlock_.arrive_and_wait(); }
  void waitForWarp() override { atWarp_[place->thread.x / kWarpSize]->arrive_and_wait(); }

 private:
  unsigned threads_;
  unsigned blocks_;
  std::barrier<> atBlock_;
  std::vector<std::unique_ptr<std::barrier<>>> atWarp_;
};

}  // namespace

std::unique_ptr<Block> makeThreads(unsigned threads, unsigned blocks) {
  return std::make_unique<Threads>(threads, blocks);
}

}  // namespace espalier::emulation
