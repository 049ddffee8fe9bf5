#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/prune/candidates.h"

namespace espalier {

// What pruning left of one weight tensor.
struct LayerFigures {
  std::string path;
  int64_t weights = 0;
  int64_t zeros = 0;
  double sparsity = 0;
  std::optional<double> threshold;  // the least magnitude kept; null where nothing is
  template <class V>
  void fields(V&& visit) {
    visit("path", path);
    visit("weights", weights);
    visit("zeros", zeros);
    visit("sparsity", sparsity);
    visit("threshold", threshold);
  }
};

struct WeightTotals {
  int64_t weights = 0;
  int64_t zeros = 0;
  template <class V>
  void fields(V&& visit) {
    visit("weights", weights);
    visit("zeros", zeros);
  }
};

// The part that the reports of pruning methods share; a report visits its fields among its own.
struct SparsityFigures {
  double sparsity = 0;  // of the weights that may be pruned, achieved
  std::vector<LayerFigures> layers;
  WeightTotals totals;
  template <class V>
  void fields(V&& visit) {
    visit("sparsity", sparsity);
    visit("layers", layers);
    visit("totals", totals);
  }
};

SparsityFigures measureSparsity(const std::vector<Candidate>& candidates);

}  // namespace espalier
