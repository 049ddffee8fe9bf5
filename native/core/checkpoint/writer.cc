#include "core/checkpoint/writer.h"

#include <utility>

namespace espalier {

void CheckpointWriter::begin(std::string path, CheckpointImage image, int64_t keep) {
  underWay_ = std::async(std::launch::async, [path = std::move(path), image = std::move(image), keep] {
    writeCheckpoint(path, image, keep);
  });
}

void CheckpointWriter::finish() {
  if (underWay_.valid()) underWay_.get();
}

}  // namespace espalier
