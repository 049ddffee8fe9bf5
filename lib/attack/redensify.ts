import * as z from 'zod';
import type { Model } from '../model.js';
import { attackSamples, attackTraining, trainedAttackFigures } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// The pruned weights come back, as noise or from an independent model, then all is fine-tuned: the attack on
// barriers that live in the mask. Noise: He et al. 2015, eq. 10.
const method = defineMethod({
  name: 'attack.redensify',
  summary: 'Refills the pruned weights of a model, then fine-tunes it on a domain.',
  source: 'He et al. 2015 (noise)',
  inputs: { model: handle('Model').describe('The pruned model to attack.') },
  options: attackSamples.extend({
    donor: handle('Model')
      .optional()
      .describe('A model of the same architecture whose weights fill the gaps; noise without one.'),
    ...attackTraining,
  }),
  outputs: { model: 'Model' },
  report: trainedAttackFigures.extend({
    refilled: z.int().describe('Weights that were zero.'),
  }),
});

export { method as redensifyMethod };

export type RedensifyOptions = OptionsOf<typeof method>;

/**
 * Refills the zeros of a copy of `model` and trains all of it on a domain.
 *
 * @throws ERR_MODEL_UNSUPPORTED for a model without zeros or a donor of another architecture; else as
 *   attack.fineTune
 */
export function redensify(model: Model, options: RedensifyOptions) {
  return method.start({ model }, options);
}
