#pragma once

#include <future>
#include <string>

#include "core/checkpoint/node.h"

namespace espalier {

// Writes a run's checkpoints one after another on another thread, while the run computes on.
// Thread rule: used on the run's thread; whoever destroys it waits for the write.
class CheckpointWriter {
 public:
  // Takes an image whose tensors nobody will change. Nothing may be under way.
  void begin(std::string path, CheckpointImage image, int64_t keep);
  // Waits for what is under way; throws what went wrong with it.
  void finish();

 private:
  std::future<void> underWay_;
};

}  // namespace espalier
