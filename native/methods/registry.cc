#include "methods/registry.h"

#include "methods/evaluate/accuracy.h"
#include "methods/evaluate/domains.h"
#include "methods/evaluate/sample_wise_learning_curve.h"
#include "methods/prune/learned_threshold.h"
#include "methods/prune/magnitude.h"
#include "methods/train/supervised.h"

namespace espalier {

const MethodTable& methodRegistry() {
  static const auto* methods = new MethodTable{
      trainSupervised(),  pruneMagnitude(),  pruneLearnedThreshold(),
      evaluateAccuracy(), evaluateDomains(), evaluateSampleWiseLearningCurve(),
  };
  return *methods;
}

}  // namespace espalier
