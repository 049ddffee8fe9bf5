#include <algorithm>
#include <string>
#include <ucontext.h>

#include "kernels/cuda/emulation/block.h"

// Emulated threads as fibers of one thread. Which of those that can go on does is drawn at random.
namespace espalier::emulation {

namespace {

constexpr size_t kStackBytes = size_t{64} << 10;

struct Fiber {
  ucontext_t context;
  Thread thread;
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
};

class Fibers : public Block {
 public:
  Fibers(unsigned threads, unsigned blocks, Random& random)
      : threads_(threads), blocks_(blocks), random_(random), atWarp_(threads / kWarpSize) {
    // Stacks are costly: kept from launch to launch.
    if (fibers().size() < threads) fibers().resize(threads);
  }

  void run(unsigned block, const std::function<void()>& kernel) override {
    running_ = this;
    kernel_ = &kernel;
    done_ = 0;
    ready_.clear();
    atBlock_.clear();
    for (auto& waiting : atWarp_) waiting.clear();
    for (unsigned i = 0; i < threads_; ++i) start(i, block);
    while (!ready_.empty()) {
      const unsigned drawn = random_.below(ready_.size());
      resume(ready_[drawn], drawn);
      if (ready_.empty()) release();
    }
    if (done_ < threads_) fail();
  }

  void waitForBlock() override {
    atBlock_.push_back(place->thread.x);
    suspend();
  }
  void waitForWarp() override {
    const unsigned warp = place->thread.x / kWarpSize;
    std::vector<unsigned>& waiting = atWarp_[warp];
    waiting.push_back(place->thread.x);
    if (waiting.size() == kWarpSize) {
      ready_.insert(ready_.end(), waiting.begin(), waiting.end());
      waiting.clear();
    }
    suspend();
  }

 private:
  static std::vector<Fiber>& fibers() {
    static std::vector<Fiber> all;
    return all;
  }

  void start(unsigned index, unsigned block) {
    Fiber& fiber = fibers()[index];
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = &scheduler_;
    fiber.thread = {{index}, {block}, {threads_}, {blocks_}};
    makecontext(&fiber.context, &Fibers::enter, 0);
    ready_.push_back(index);
  }

  static void enter() {
    (*running_->kernel_)();
    ++running_->done_;
  }

  void resume(unsigned index, unsigned drawn) {
    ready_[drawn] = ready_.back();
    ready_.pop_back();
    place = &fibers()[index].thread;
    swapcontext(&scheduler_, &fibers()[index].context);
    place = nullptr;
  }
  void suspend() { swapcontext(&fibers()[place->thread.x].context, &scheduler_); }

  // Nobody can go on: a barrier opens if all have reached it.
  void release() {
    if (atBlock_.size() < threads_) return;
    ready_.swap(atBlock_);
  }

  [[noreturn]] void fail() {
    size_t inWarps = 0;
    for (const auto& waiting : atWarp_) inWarps += waiting.size();
    throw Fault(std::to_string(atBlock_.size()) + " of " + std::to_string(threads_) +
                " threads wait at a barrier of the block, " + std::to_string(inWarps) +
                " at one of a warp, " + std::to_string(done_) +
                " have ended: expected all to reach the same barrier");
  }

  // For enter(): makecontext passes ints only.
  static thread_local Fibers* running_;

  unsigned threads_;
  unsigned blocks_;
  Random& random_;
  const std::function<void()>* kernel_ = nullptr;
  ucontext_t scheduler_;
  unsigned done_ = 0;
  std::vector<unsigned> ready_;
  std::vector<unsigned> atBlock_;
  std::vector<std::vector<unsigned>> atWarp_;
};

thread_local Fibers* Fibers::running_ = nullptr;

}  // namespace

std::unique_ptr<Block> makeFibers(unsigned threads, unsigned blocks, Random& random) {
  return std::make_unique<Fibers>(threads, blocks, random);
}

}  // namespace espalier::emulation
