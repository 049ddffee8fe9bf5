#include "methods/registry.h"

#include "methods/attack/batch_norm_adaptation.h"
#include "methods/attack/corrupted_views.h"
#include "methods/attack/elastic_fine_tune.h"
#include "methods/attack/fine_tune.h"
#include "methods/attack/linear_probe.h"
#include "methods/attack/mask_guess.h"
#include "methods/attack/nearest_neighbour.h"
#include "methods/attack/overwrite.h"
#include "methods/attack/prune.h"
#include "methods/attack/quantize.h"
#include "methods/attack/redensify.h"
#include "methods/attack/retrain_head.h"
#include "methods/attack/source_repair.h"
#include "methods/authorize/apply_mask.h"
#include "methods/authorize/mask_pruning.h"
#include "methods/authorize/non_transferable_learning.h"
#include "methods/authorize/non_transferable_pruning.h"
#include "methods/authorize/remove_mask.h"
#include "methods/authorize/verify_ownership.h"
#include "methods/evaluate/accuracy.h"
#include "methods/evaluate/authorization.h"
#include "methods/evaluate/domains.h"
#include "methods/evaluate/sample_wise_learning_curve.h"
#include "methods/evaluate/source_target_drop.h"
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
      authorizeNonTransferableLearning(),
      authorizeVerifyOwnership(),
      authorizeMaskPruning(),
      authorizeApplyMask(),
      authorizeRemoveMask(),
      evaluateAccuracy(),
      evaluateDomains(),
      evaluateSampleWiseLearningCurve(),
      evaluateSourceTargetDrop(),
      evaluateAuthorization(),
      attackFineTune(),
      attackRetrainHead(),
      attackSourceRepair(),
      attackElasticFineTune(),
      attackCorruptedViews(),
      attackRedensify(),
      attackPrune(),
      attackQuantize(),
      attackMaskGuess(),
      attackOverwrite(),
      attackBatchNormAdaptation(),
      attackNearestNeighbour(),
      attackLinearProbe(),
  };
  return *methods;
}

}  // namespace espalier
