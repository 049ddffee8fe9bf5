#include "methods/authorize/mask_pruning_scores.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "core/error.h"
#include "kernels/ops.h"

namespace espalier {

LearnedMask::LearnedMask(const std::vector<Candidate>& weights, const Options& options) : options_(options) {
  for (const auto& [path, weight, outputDim] : weights) {
    if (weight.scalar_type() != at::kFloat && weight.scalar_type() != at::kDouble) {
      fail(ErrorCode::kModelUnsupported, "expected float32 or float64 weights to learn a mask over, found ",
           weight.scalar_type(), " in ", path);
    }
    const at::Tensor dense = weight.detach().clone();
    paths_.push_back(path);
    effective_.push_back(weight);
    dense_.push_back(dense);
    scores_.push_back(torch::full_like(dense, options.start));
    first_.push_back(torch::zeros_like(dense));
    second_.push_back(torch::zeros_like(dense));
    steps_.push_back(torch::zeros({}, dense.options().dtype(at::kFloat)));
  }
}

void LearnedMask::step(double learningRate, const at::Tensor& skip) {
  const torch::NoGradGuard noGrad;
  kernels::Tensors gradients;
  for (at::Tensor& weight : effective_) gradients.push_back(weight.grad());
  kernels::AdamOptions adam;
  adam.learningRate = learningRate;
  kernels::scoreAdam(scores_, dense_, gradients, first_, second_, steps_, adam, skip);
  at::_foreach_clamp_min_(scores_, options_.lowest);
  at::_foreach_clamp_max_(scores_, options_.highest);
  for (at::Tensor& weight : effective_) weight.mutable_grad().reset();
  apply();
}

void LearnedMask::apply() {
  const torch::NoGradGuard noGrad;
  kernels::scoreApply(dense_, scores_, effective_, options_.threshold);
}

void LearnedMask::limit(double share) {
  constexpr double kRounding = 1e-9;  // 2.0 / 7 of 7 are 2
  const auto allowed = static_cast<int64_t>(std::floor(share * static_cast<double>(weights()) + kRounding));
  const int64_t pruned = weights() - kept();
  if (pruned <= allowed) return;
  const torch::NoGradGuard noGrad;
  std::vector<at::Tensor> flat;
  flat.reserve(scores_.size());
  for (const at::Tensor& scores : scores_) flat.push_back(scores.flatten());
  at::Tensor all = torch::cat(flat);
  // Of the pruned ones the first `allowed` in this order stay pruned; ties by position.
  const at::Tensor order = std::get<1>(all.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));
  all.index_put_({order.slice(0, allowed, pruned)}, torch::full({}, options_.start, all.options()));
  int64_t begin = 0;
  for (at::Tensor& scores : scores_) {
    scores.copy_(all.slice(0, begin, begin + scores.numel()).view_as(scores));
    begin += scores.numel();
  }
  apply();
}

int64_t LearnedMask::weights() const {
  int64_t count = 0;
  for (const at::Tensor& scores : scores_) count += scores.numel();
  return count;
}

int64_t LearnedMask::kept() const {
  int64_t count = 0;
  for (const at::Tensor& scores : scores_) count += scores.gt(options_.threshold).sum().item<int64_t>();
  return count;
}

std::shared_ptr<Mask> LearnedMask::maskOf(const std::string& dense) const {
  std::vector<Mask::Entry> entries;
  for (size_t i = 0; i < effective_.size(); ++i) {
    // A weight that was zero before is not pruned by a mask.
    entries.push_back({paths_[i], effective_[i].detach().ne(0).logical_or(dense_[i].eq(0)).cpu()});
  }
  return std::make_shared<Mask>(std::move(entries), dense);
}

}  // namespace espalier
