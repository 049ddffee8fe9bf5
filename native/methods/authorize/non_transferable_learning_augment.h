#pragma once

#include "core/job.h"
#include "methods/authorize/non_transferable_learning_fields.h"

namespace espalier::non_transferable_learning {

// Images around the source, in several distances and directions from it, that stand for the domains which
// nobody has: made by a conditional GAN (Wang et al. 2022, section 3.2), labelled by their class.
// ERR_DATA_INVALID for samples that are no images.
struct Augmented {
  std::shared_ptr<Domain> domain;
  AugmentationFigures figures;
};
// Of the job's planned work it takes `units`.
Augmented augment(const Model& model, const Domain& source, const AugmentationOptions& options, Job& job,
                  double units);

}  // namespace espalier::non_transferable_learning
