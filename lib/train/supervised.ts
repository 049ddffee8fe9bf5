import type { Model } from '../model.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import { supervisedFigures, supervisedOptions } from '../schema/training.js';

// Cross-entropy training of a classifier on a domain's fit data, optionally with a teacher's soft targets.
// Label smoothing: Szegedy et al. 2016, section 7. Distillation: Hinton et al. 2015, section 2.
const method = defineMethod({
  name: 'train.supervised',
  summary: 'Trains a classifier on the fit data of a domain; a pruned model keeps its zeros.',
  source: 'Szegedy et al. 2016 (label smoothing); Hinton et al. 2015 (distillation)',
  inputs: { model: handle('Model').describe('The classifier to start from.') },
  options: supervisedOptions.extend({
    domain: handle('Domain').describe('Trains on its fit data, watches its select data.'),
    teacher: handle('Model').optional().describe('Model whose soft outputs are learned beside the labels.'),
  }),
  outputs: { model: 'Model' },
  report: supervisedFigures,
});

export { method as supervisedMethod };

export type SupervisedOptions = OptionsOf<typeof method>;

/**
 * Trains a copy of `model`; the given one does not change.
 *
 * @param model logits [N, classes] from a batch of the domain's samples
 * @returns the trained model; the training curve in the report
 * @throws ERR_MODEL_UNSUPPORTED for a frozen model, ERR_DATA_INVALID for a domain without fit data or with
 *   more classes than the model, ERR_DIVERGED when a loss or gradient is not finite
 */
export function supervised(model: Model, options: SupervisedOptions) {
  return method.start({ model }, options);
}
