#include "core/prune/candidates.h"

#include <algorithm>

#include "core/error.h"
#include "core/glob.h"

namespace espalier {

namespace {

bool matchesAny(const std::vector<std::string>& patterns, const std::string& path) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matchesGlob(pattern, path); });
}

void requireMatches(const Model& model, const std::vector<std::string>& include) {
  const std::vector<ParameterInfo>& all = model.parameters();
  for (const std::string& pattern : include) {
    if (std::any_of(all.begin(), all.end(),
                    [&](const ParameterInfo& info) { return matchesGlob(pattern, info.path); })) {
      continue;
    }
    fail(ErrorCode::kOutOfRange, "expected a parameter that matches '", pattern,
         "' for include, found none; `espalier inspect` lists the paths");
  }
}

const Layer* prunableLayerOf(const Model& model, const at::Tensor& weight) {
  for (const Layer& layer : model.layers()) {
    if (layer.prunable && layer.weight.is_same(weight)) return &layer;
  }
  return nullptr;
}

// The layer that makes the logits: pruning one of its channels would remove a class.
bool isClassifier(const Model& model, const Layer& layer) {
  const std::vector<Layer>& layers = model.layers();
  const auto last =
      std::find_if(layers.rbegin(), layers.rend(), [](const Layer& each) { return each.prunable; });
  return last != layers.rend() && last->weightPath == layer.weightPath;
}

}  // namespace

at::Tensor Candidate::rows(const at::Tensor& tensor) const { return tensor.movedim(outputDim, 0).flatten(1); }

std::vector<Candidate> pruningCandidates(const Model& model, const WeightPatterns& patterns,
                                         PruningUnit unit) {
  requireMatches(model, patterns.include);
  std::vector<Candidate> candidates;
  for (const ParameterInfo& info : model.parameters()) {
    if (!info.tensor.is_floating_point()) continue;
    if (unit != PruningUnit::kWeight && info.tensor.dim() < 2) continue;
    const Layer* layer = prunableLayerOf(model, info.tensor);
    const bool wanted = patterns.include.empty() ? layer != nullptr && !(unit == PruningUnit::kChannel &&
                                                                         isClassifier(model, *layer))
                                                 : matchesAny(patterns.include, info.path);
    if (!wanted || matchesAny(patterns.exclude, info.path)) continue;
    candidates.push_back({info.path, info.tensor, layer != nullptr ? layer->outputDim : 0});
  }
  if (candidates.empty()) {
    fail(ErrorCode::kModelUnsupported,
         "expected at least one weight to prune, found none: the model has no convolution, linear or "
         "transposed convolution that the options leave; look at include, exclude and `espalier inspect`");
  }
  return candidates;
}

}  // namespace espalier
