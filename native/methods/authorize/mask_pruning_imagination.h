#pragma once

#include <memory>
#include <vector>

#include "methods/authorize/mask_pruning_diversifier.h"
#include "methods/authorize/mask_pruning_generator.h"

// What stands for data that is not there: images of the source's kind, and neighbours of them.
namespace espalier::mask_pruning {

// One way to turn images into those of a neighbour domain, with what it is trained by.
struct Direction {
  Diversifier diversifier;
  Optimizer optimizer;
  InformationBound bound;
  Optimizer boundOptimizer;
  template <class V>
  void fields(V&& visit) {
    visit("diversifier", diversifier);
    visit("optimizer", optimizer);
    visit("bound", bound);
    visit("boundOptimizer", boundOptimizer);
  }
};

struct Imagination {
  // Given, the same on resume.
  std::shared_ptr<Model> original;
  Teacher teacher;  // of it
  int64_t classes = 0;
  uint64_t seed = 0;

  ImageGenerator generator;
  Optimizer optimizer;
  ImageMemory memory;
  // Newly made images that the original takes for their class, for readings: no mask is trained on them.
  at::Tensor heldImages;
  at::Tensor heldAnswers;
  at::Tensor statistics;  // of the last step, one element
  int64_t made = 0;
  std::vector<GeneratorRound> rounds;
  std::vector<Direction> directions;  // none: the target is there
  at::Tensor sums;                    // of the direction that is trained, [kDirectionFigures]
  std::vector<DiversifierRound> diversified;
  template <class V>
  void fields(V&& visit) {
    visit("generator", generator);
    visit("optimizer", optimizer);
    visit("memory", memory);
    visit("heldImages", heldImages);
    visit("heldAnswers", heldAnswers);
    visit("statistics", statistics);
    visit("made", made);
    visit("rounds", rounds, kCollected);
    visit("directions", directions);
    visit("sums", sums);
    visit("diversified", diversified, kCollected);
  }
};

// `shape`: [C, H, W].
Imagination imaginationOf(const std::shared_ptr<Model>& original, int64_t classes,
                          const std::vector<int64_t>& shape, const Options& options, uint64_t seed);

// A step of the generator; `masked` is the model under the mask so far.
void imagine(Imagination& imagination, Model& masked, const Options& options, StepContext& context);
// Draws the images of readings. ERR_TARGET_UNREACHABLE where the original takes none for its class.
void endImagining(Imagination& imagination, const Options& options, Job& job);

// A step of one direction.
void diversify(Imagination& imagination, size_t direction, const Options& options, StepContext& context);
void endDiversifying(Imagination& imagination, int64_t direction, const Options& options);

// Images of a neighbour domain with their classes, from a direction that is drawn.
struct Neighbours {
  at::Tensor images;
  at::Tensor labels;
};
Neighbours drawNeighbours(const Imagination& imagination, int64_t count, StepContext& context);

// Share of the held images that the model answers as the original does.
double agreement(const Imagination& imagination, const Model& model);

}  // namespace espalier::mask_pruning
