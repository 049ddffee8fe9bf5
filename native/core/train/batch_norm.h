#pragma once

#include "core/data/domain.h"
#include "core/job.h"
#include "core/model.h"

namespace espalier {

bool hasBatchNorm(const Model& model);

// Lets the running statistics of batch norms follow the weights: forwards `batches` batches of fit data in
// training mode, without gradient. Does nothing for a model without them. Draws from the job's seed.
void refreshBatchNorm(Model& model, const FitData& data, int64_t batches, int64_t batchSize, Job& job);

// Replaces the running statistics of batch norms by their plain means over `batches` batches (at most an
// epoch), forwarded in training mode without gradient: what norms with momentum None would hold. Draws from
// the job's seed.
void reestimateBatchNorm(Model& model, const FitData& data, int64_t batches, int64_t batchSize, Job& job);

}  // namespace espalier
