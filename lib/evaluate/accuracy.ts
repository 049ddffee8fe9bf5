import type { Model } from '../model.js';
import { classificationFigures, evaluationOptions } from '../schema/evaluation.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// Accuracy with its Wilson interval (Wilson 1927), per-class accuracy, loss, confusion matrix and expected
// calibration error (Guo et al. 2017, eq. 3) on a domain's report data.
const method = defineMethod({
  name: 'evaluate.accuracy',
  summary: 'Measures a model on the report data of a domain.',
  source: 'Wilson 1927 (interval); Guo et al. 2017 (calibration)',
  inputs: { model: handle('Model').describe('The model to measure.') },
  options: evaluationOptions.extend({
    domain: handle('Domain').describe('Its report data is read.'),
  }),
  outputs: {},
  report: classificationFigures,
});

export { method as accuracyMethod };

export type AccuracyOptions = OptionsOf<typeof method>;

/**
 * Measures `model` on the report data of a domain; nothing is chosen on it.
 *
 * @throws ERR_DATA_INVALID for a domain without report data or with more classes than the model
 */
export function accuracy(model: Model, options: AccuracyOptions) {
  return method.start({ model }, options);
}
