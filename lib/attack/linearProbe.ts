import type { Model } from '../model.js';
import { attackSamples, attackTraining, trainedAttackFigures } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// Logistic regression on a model's features, which are computed once: how much they still tell about a domain,
// whatever the classifier says. Alain and Bengio 2016, arXiv 1610.01644.
const method = defineMethod({
  name: 'attack.linearProbe',
  summary: 'Fits a logistic regression to the features of a model.',
  source: 'Alain and Bengio 2016, arXiv 1610.01644',
  inputs: { model: handle('Model').describe('The model to attack.') },
  options: attackSamples.extend(attackTraining),
  outputs: { model: 'Model' },
  report: trainedAttackFigures,
});

export { method as linearProbeMethod };

export type LinearProbeOptions = OptionsOf<typeof method>;

/**
 * Replaces the last layer of a copy of `model` by a logistic regression on its inputs.
 *
 * @throws ERR_MODEL_UNSUPPORTED where the last layer is not linear; else as attack.fineTune
 */
export function linearProbe(model: Model, options: LinearProbeOptions) {
  return method.start({ model }, options);
}
