#pragma once

#include <vector>

#include <torch/types.h>

#include "core/data/domain.h"
#include "core/job.h"
#include "core/model.h"

// Elastic weight consolidation (Kirkpatrick et al. 2017): weights that matter for what a model answers now
// are pulled back to where they were.
namespace espalier {

struct Fisher {
  std::vector<at::Tensor> diagonal;  // one a parameter that has a gradient, in their order
  double seconds = 0;                // that it took

  double mean() const;  // over all weights
};

// The diagonal of the empirical Fisher information of the samples: the mean of the squared gradient of a
// sample's log-likelihood of its label, in evaluation mode. A training of the job, of `units` of its work.
Fisher empiricalFisher(const std::shared_ptr<Model>& model, const FitData& samples, double units, Job& job);

// sum_i F_i (w_i - w*_i)^2 (eq. 3, without lambda / 2); one element, differentiable in `weights`.
at::Tensor elasticDistance(const std::vector<at::Tensor>& weights, const std::vector<at::Tensor>& anchors,
                           const std::vector<at::Tensor>& fisher);

}  // namespace espalier
