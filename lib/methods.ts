import { nonTransferablePruningMethod } from './authorize/nonTransferablePruning.js';
import { accuracyMethod } from './evaluate/accuracy.js';
import { domainsMethod } from './evaluate/domains.js';
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
  nonTransferablePruningMethod,
  accuracyMethod,
  domainsMethod,
];
