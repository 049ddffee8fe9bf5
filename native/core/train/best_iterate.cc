#include "core/train/best_iterate.h"

#include "core/train/collected.h"

namespace espalier {

void BestIterate::offer(const Model& model, double accuracy, double floor, int64_t step) {
  const bool holds = accuracy >= floor;
  if (!holds && (holds_ || accuracy < accuracy_)) return;
  weights_.clear();
  for (const at::Tensor& weight : model.weights()) weights_.push_back(weight.clone());
  accuracy_ = accuracy;
  holds_ = holds;
  step_ = step;
}

void BestIterate::restore(Model& model) const {
  if (!weights_.empty()) putBack(weights_, model);
}

}  // namespace espalier
