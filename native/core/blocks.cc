#include "core/blocks.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <vector>

#include <c10/core/Allocator.h>
#include <c10/core/impl/alloc_cpu.h>

namespace espalier {

namespace {

// Smaller ones malloc keeps itself; kept by us, what thousands of small runs leave between them added up.
constexpr size_t kLeast = size_t{256} << 10;
// A network's activations one after the other are more bytes than any two neighbours that are there at once.
constexpr size_t kMostIdle = size_t{512} << 20;
// An address sanitizer must see each block freed.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kIsKept = false;
#else
constexpr bool kIsKept = true;
#endif

struct Block {
  void* base = nullptr;
  size_t size = 0;
};

}  // namespace

// The blocks of a scope that nobody uses, the newest last.
// Thread rule: every member from any thread.
class IdleBlocks {
 public:
  ~IdleBlocks() { release(); }

  // One of at least that size and at most an eighth more, or nothing; then the caller makes one of that size.
  Block take(size_t size) {
    const std::lock_guard lock(mutex_);
    // keep() is called by destructors, where nothing may be thrown: there is room for all that is in use.
    blocks_.reserve(blocks_.size() + count_ + 1);
    ++count_;
    const auto fits = [size](const Block& block) {
      return block.size >= size && block.size - size <= size / 8;
    };
    // What was freed last is the likeliest to be in a cache.
    const auto found = std::find_if(blocks_.rbegin(), blocks_.rend(), fits);
    Block block{nullptr, size};
    if (found != blocks_.rend()) {
      block = *found;
      blocks_.erase(std::next(found).base());
      idle_ -= block.size;
    }
    used_ += block.size;
    most_ = std::max(most_, used_);
    size_t oldest = 0;
    while (used_ + idle_ > most_ + std::min(most_, kMostIdle) && oldest < blocks_.size()) {
      idle_ -= blocks_[oldest].size;
      c10::free_cpu(blocks_[oldest++].base);
    }
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(oldest));
    return block;
  }

  // What take() counted and the caller could not make.
  void untake(size_t size) {
    const std::lock_guard lock(mutex_);
    --count_;
    used_ -= size;
  }

  void keep(Block block) noexcept {
    {
      const std::lock_guard lock(mutex_);
      --count_;
      used_ -= block.size;
      if (!isClosed_) {
        idle_ += block.size;
        blocks_.push_back(block);
        return;
      }
    }
    c10::free_cpu(block.base);
  }

  void release() {
    const std::lock_guard lock(mutex_);
    for (const Block& block : blocks_) c10::free_cpu(block.base);
    blocks_.clear();
    idle_ = 0;
  }

  size_t idle() const {
    const std::lock_guard lock(mutex_);
    return idle_;
  }

  // From now on what is given back is freed.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      isClosed_ = true;
    }
    release();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Block> blocks_;
  size_t count_ = 0;  // of blocks in use
  size_t idle_ = 0;   // bytes
  size_t used_ = 0;
  size_t most_ = 0;  // of `used_`
  bool isClosed_ = false;
};

namespace {

thread_local std::shared_ptr<IdleBlocks> current;

// Stands before each block's data, which begins where the next cache line does.
struct Header {
  size_t size = 0;
  std::shared_ptr<IdleBlocks> home;
};
constexpr size_t kHeader = 64;
static_assert(sizeof(Header) <= kHeader);

void give(void* data) noexcept {
  if (data == nullptr) return;
  void* base = static_cast<char*>(data) - kHeader;
  auto* header = static_cast<Header*>(base);
  const size_t size = header->size;
  const std::shared_ptr<IdleBlocks> home = std::move(header->home);
  header->~Header();
  if (home) {
    home->keep({base, size});
  } else {
    c10::free_cpu(base);
  }
}

void* make(IdleBlocks& blocks, size_t size) {
  try {
    return c10::alloc_cpu(size);
  } catch (...) {
    blocks.release();  // perhaps it is enough
  }
  try {
    return c10::alloc_cpu(size);
  } catch (...) {
    blocks.untake(size);
    throw;
  }
}

class BlockAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &give, c10::kCPU};
    Block block{nullptr, bytes + kHeader};
    std::shared_ptr<IdleBlocks> home;
    if (kIsKept && current && bytes >= kLeast) {
      home = current;
      block = home->take(block.size);
      if (block.base == nullptr) block.base = make(*home, block.size);
    } else {
      block.base = c10::alloc_cpu(block.size);
    }
    new (block.base) Header{block.size, std::move(home)};
    void* data = static_cast<char*>(block.base) + kHeader;
    return {data, data, &give, c10::kCPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

}  // namespace

void installBlocks() {
  // Never destroyed: tensors of libtorch's own may be freed after everything of ours.
  static BlockAllocator* const allocator = [] {
    auto* made = new BlockAllocator;
    c10::SetAllocator(c10::kCPU, made, 1);
    return made;
  }();
  static_cast<void>(allocator);
}

BlockScope::BlockScope() {
  if (current) return;
  blocks_ = std::make_shared<IdleBlocks>();
  current = blocks_;
}

size_t BlockScope::idle() const { return blocks_ ? blocks_->idle() : 0; }

BlockScope::~BlockScope() {
  if (!blocks_) return;
  current.reset();
  blocks_->close();
}

}  // namespace espalier
