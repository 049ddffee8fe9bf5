#pragma once

#include <optional>

#include "core/data/stream.h"
#include "core/train/optimizer.h"
#include "core/train/trainer.h"

namespace espalier {

// How much a teacher's outputs count beside the labels, and how soft they are.
struct DistillationOptions {
  double weight = 0.9;  // of the teacher's term; the labels' term has the rest
  double temperature = 4;
  template <class V>
  void fields(V&& visit) {
    visit("weight", weight, {.min = 0, .max = 1});
    visit("temperature", temperature, {.min = 0, .exclusiveMin = true});
  }
};

// The options of supervised training: of train.supervised, and of whatever fine-tunes with it.
struct SupervisedOptions {
  int64_t epochs = 10;
  int64_t batchSize = 128;
  OptimizerOptions optimizer;
  Schedule schedule;
  Augmentation augmentation;
  double labelSmoothing = 0;
  DistillationOptions distillation;
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
    visit("labelSmoothing", labelSmoothing, {.min = 0, .max = 1, .exclusiveMax = true});
    visit("distillation", distillation);
    visit("precision", precision);
    visit("keepZeros", keepZeros);
    visit("restoreBest", restoreBest);
  }
};

}  // namespace espalier
