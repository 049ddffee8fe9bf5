#include "methods/registry.h"

#include "methods/authorize/non_transferable_pruning.h"
#include "methods/evaluate/accuracy.h"
#include "methods/evaluate/domains.h"
#include "methods/prune/learned_threshold.h"
#include "methods/prune/magnitude.h"
#include "methods/train/contrastive.h"
#include "methods/train/supervised.h"

namespace espalier {

const MethodTable& methodRegistry() {
  static const auto* methods = new MethodTable{
      trainSupervised(),
      trainContrastive(),
      pruneMagnitude(),
      pruneLearnedThreshold(),
      authorizeNonTransferablePruning(),
      evaluateAccuracy(),
      evaluateDomains(),
  };
  return *methods;
}

}  // namespace espalier
