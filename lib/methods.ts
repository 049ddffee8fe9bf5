import { batchNormAdaptationMethod } from './attack/batchNormAdaptation.js';
import { corruptedViewsMethod } from './attack/corruptedViews.js';
import { elasticFineTuneMethod } from './attack/elasticFineTune.js';
import { fineTuneMethod } from './attack/fineTune.js';
import { linearProbeMethod } from './attack/linearProbe.js';
import { maskGuessMethod } from './attack/maskGuess.js';
import { nearestNeighbourMethod } from './attack/nearestNeighbour.js';
import { overwriteMethod } from './attack/overwrite.js';
import { pruneMethod } from './attack/prune.js';
import { quantizeMethod } from './attack/quantize.js';
import { redensifyMethod } from './attack/redensify.js';
import { retrainHeadMethod } from './attack/retrainHead.js';
import { sourceRepairMethod } from './attack/sourceRepair.js';
import { applyMaskMethod } from './authorize/applyMask.js';
import { maskPruningMethod } from './authorize/maskPruning.js';
import { nonTransferableLearningMethod } from './authorize/nonTransferableLearning.js';
import { nonTransferablePruningMethod } from './authorize/nonTransferablePruning.js';
import { removeMaskMethod } from './authorize/removeMask.js';
import { verifyOwnershipMethod } from './authorize/verifyOwnership.js';
import { accuracyMethod } from './evaluate/accuracy.js';
import { authorizationMethod } from './evaluate/authorization.js';
import { domainsMethod } from './evaluate/domains.js';
import { sampleWiseLearningCurveMethod } from './evaluate/sampleWiseLearningCurve.js';
import { sourceTargetDropMethod } from './evaluate/sourceTargetDrop.js';
import { learnedThresholdMethod } from './prune/learnedThreshold.js';
import { magnitudeMethod } from './prune/magnitude.js';
import type { AnyMethod } from './schema/method.js';
import { contrastiveMethod } from './train/contrastive.js';
import { supervisedMethod } from './train/supervised.js';

/** Every method, family by family. */
export const allMethods: readonly AnyMethod[] = [
  supervisedMethod,
  contrastiveMethod,
  magnitudeMethod,
  learnedThresholdMethod,
  nonTransferableLearningMethod,
  nonTransferablePruningMethod,
  applyMaskMethod,
  maskPruningMethod,
  removeMaskMethod,
  verifyOwnershipMethod,
  accuracyMethod,
  domainsMethod,
  sampleWiseLearningCurveMethod,
  sourceTargetDropMethod,
  authorizationMethod,
  fineTuneMethod,
  retrainHeadMethod,
  sourceRepairMethod,
  elasticFineTuneMethod,
  corruptedViewsMethod,
  redensifyMethod,
  pruneMethod,
  quantizeMethod,
  maskGuessMethod,
  overwriteMethod,
  batchNormAdaptationMethod,
  linearProbeMethod,
  nearestNeighbourMethod,
];
