#include "core/prune/layer_figures.h"

#include <torch/types.h>

namespace espalier {

namespace {

double fractionOf(int64_t zeros, int64_t weights) {
  return weights == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(weights);
}

LayerFigures measure(const Candidate& candidate) {
  const at::Tensor magnitude = candidate.weight.detach().abs();
  const at::Tensor kept = magnitude.masked_select(magnitude.ne(0));
  LayerFigures figures;
  figures.path = candidate.path;
  figures.weights = magnitude.numel();
  figures.zeros = magnitude.numel() - kept.numel();
  figures.sparsity = fractionOf(figures.zeros, figures.weights);
  if (kept.numel() > 0) figures.threshold = kept.min().item<double>();
  return figures;
}

}  // namespace

SparsityFigures measureSparsity(const std::vector<Candidate>& candidates) {
  SparsityFigures figures;
  for (const Candidate& candidate : candidates) {
    figures.layers.push_back(measure(candidate));
    figures.totals.weights += figures.layers.back().weights;
    figures.totals.zeros += figures.layers.back().zeros;
  }
  figures.sparsity = fractionOf(figures.totals.zeros, figures.totals.weights);
  return figures;
}

}  // namespace espalier
