#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "core/model.h"

namespace espalier {

// The weights to return of a training that trades an accuracy against something else: the last that hold a
// floor of accuracy, and while none do, those nearest to it. Part of a state.
class BestIterate {
 public:
  // `model` after `step` steps, with this accuracy.
  void offer(const Model& model, double accuracy, double floor, int64_t step);
  // Puts them back. Nothing was offered: they stay.
  void restore(Model& model) const;

  bool empty() const { return weights_.empty(); }
  double accuracy() const { return accuracy_; }
  bool holds() const { return holds_; }
  int64_t step() const { return step_; }

  template <class V>
  void fields(V&& visit) {
    visit("weights", weights_);
    visit("accuracy", accuracy_);
    visit("holds", holds_);
    visit("step", step_);
  }

 private:
  std::vector<at::Tensor> weights_;  // parameters, then buffers
  double accuracy_ = 0;
  bool holds_ = false;
  int64_t step_ = 0;
};

}  // namespace espalier
