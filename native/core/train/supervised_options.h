#pragma once

#include <optional>

#include "core/data/stream.h"
#include "core/train/loss.h"
#include "core/train/optimizer.h"
#include "core/train/trainer.h"

namespace espalier {

// The options of supervised training: of train.supervised, and of whatever fine-tunes with it.
struct SupervisedOptions {
  int64_t epochs = 10;
  int64_t batchSize = 128;
  OptimizerOptions optimizer;
  Schedule schedule;
  Augmentation augmentation;
  LossOptions loss;
  Precision precision = Precision::kFloat32;
  LiteralOr<"auto", bool> keepZeros;  // 'auto': where the manifest says that the model is pruned
  bool restoreBest = false;
  template <class V>
  void fields(V&& visit) {
    visit("epochs", epochs, {.min = 1, .max = 100000});
    visit("batchSize", batchSize, {.min = 1, .max = 1048576});
    visit("optimizer", optimizer);
    visit("schedule", schedule);
    visit("augmentation", augmentation);
    loss.fields(visit);
    visit("precision", precision);
    visit("keepZeros", keepZeros);
    visit("restoreBest", restoreBest);
  }
};

}  // namespace espalier
