#include "methods/authorize/mask_pruning_controls.h"

#include <numeric>
#include <utility>

#include <torch/utils.h>

#include "core/random.h"
#include "kernels/ops.h"

namespace espalier::mask_pruning {

std::vector<at::Tensor> randomMasks(const std::vector<Candidate>& candidates,
                                    const std::vector<int64_t>& pruned, uint64_t seed) {
  std::vector<at::Tensor> masks;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const int64_t n = candidates[i].weight.numel();
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), int64_t{0});
    SplitMix64 random(mixSeed(seed, candidates[i].path));
    at::Tensor kept = torch::ones({n}, torch::kBool);
    auto* flags = kept.data_ptr<bool>();
    for (int64_t k = 0; k < pruned[i]; ++k) {
      const auto at = static_cast<size_t>(k);
      std::swap(order[at], order[at + random.below(static_cast<uint64_t>(n - k))]);
      flags[order[at]] = false;
    }
    masks.push_back(kept.view(candidates[i].weight.sizes()));
  }
  return masks;
}

std::vector<at::Tensor> magnitudeMasks(const std::vector<Candidate>& candidates,
                                       const std::vector<int64_t>& pruned) {
  std::vector<at::Tensor> weights;
  weights.reserve(candidates.size());
  for (const Candidate& candidate : candidates) weights.push_back(candidate.weight.detach());
  return kernels::selectLowestEach(weights, pruned);
}

}  // namespace espalier::mask_pruning
