import * as z from 'zod';
import type { Model } from '../model.js';
import { attackStart, attackTraining, sourceAttackFigures, sourceSamples } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// Fine-tuning on authorised data under elastic weight consolidation: weights that this data needs are pulled back
// to where they were, the others may forget. Kirkpatrick et al. 2017, arXiv 1612.00796, eq. 3.
const method = defineMethod({
  name: 'attack.elasticFineTune',
  summary: 'Fine-tunes a model on authorised data, and keeps the weights that this data needs.',
  source: 'Kirkpatrick et al. 2017, arXiv 1612.00796 (EWC)',
  inputs: { model: handle('Model').describe('The model to attack.') },
  options: sourceSamples.extend({
    lambda: z
      .number()
      .min(0)
      .default(100)
      .describe('Weight of the pull; 0: plain fine-tuning, without Fisher information.'),
    fisherSamples: z
      .int()
      .min(1)
      .max(10000000)
      .default(200)
      .meta({ unit: 'samples' })
      .describe('Of the Fisher information; all that the attacker holds where those are fewer.'),
    ...attackTraining,
    maskHeld: attackStart.maskHeld,
    statisticsHeld: z
      .boolean()
      .default(false)
      .describe(
        'Whether batch norms keep their running statistics, and use them: training in evaluation mode.',
      ),
  }),
  outputs: { model: 'Model' },
  report: sourceAttackFigures.extend({
    meanFisher: z
      .number()
      .nullable()
      .describe('Fisher information, mean over the weights; null with lambda 0.'),
    penalty: z.number().describe('Of the attacked model: lambda / 2 times the weighted squared distance.'),
  }),
});

export { method as elasticFineTuneMethod };

export type ElasticFineTuneOptions = OptionsOf<typeof method>;

/**
 * Fine-tunes a copy of `model` on its own domain, with a pull on the weights that this domain needs.
 *
 * @throws ERR_DATA_INVALID for a domain that lacks a role or has other classes than the model, ERR_OUT_OF_RANGE
 *   for more samples than there are, ERR_MODEL_UNSUPPORTED for a frozen model
 */
export function elasticFineTune(model: Model, options: ElasticFineTuneOptions) {
  return method.start({ model }, options);
}
