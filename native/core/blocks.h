#pragma once

#include <cstddef>
#include <memory>

namespace espalier {

class IdleBlocks;

// Makes libtorch's memory on the CPU come from us: what is asked for while a BlockScope is there may be a
// block that was given back in it before. To be called while no other thread uses libtorch; again does
// nothing.
void installBlocks();

// A training asks in every step for the same large blocks, and malloc gives them back to the system, which
// clears each page again when it is next touched. In a scope they are kept, the oldest given up first: what
// is held is at most twice as much as was in use at once, and at most 512 MiB more. What outlives the scope
// is freed as ever.
//
// Thread rule: for what this thread asks for; freed from any. One inside another does nothing.
class BlockScope {
 public:
  BlockScope();
  ~BlockScope();
  BlockScope(const BlockScope&) = delete;
  BlockScope& operator=(const BlockScope&) = delete;

  // Bytes that are kept and nobody uses.
  size_t idle() const;

 private:
  std::shared_ptr<IdleBlocks> blocks_;  // none inside another
};

}  // namespace espalier
