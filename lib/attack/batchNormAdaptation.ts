import * as z from 'zod';
import type { Model } from '../model.js';
import { attackFigures, attackSamples } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// Adaptation without labels: the running statistics of batch norms follow the inputs of the other domain; no
// weight changes. Li et al. 2016, arXiv 1603.04779.
const method = defineMethod({
  name: 'attack.batchNormAdaptation',
  summary: 'Re-estimates the batch norm statistics of a model on unlabelled inputs of a domain.',
  source: 'Li et al. 2016, arXiv 1603.04779',
  inputs: { model: handle('Model').describe('The model to attack.') },
  options: attackSamples.extend({
    steps: z
      .int()
      .min(1)
      .max(1000000)
      .default(100)
      .meta({ unit: 'batches' })
      .describe('Batches that the statistics follow, with the momentum of the model.'),
    batchSize: z
      .int()
      .min(2)
      .max(1048576)
      .default(64)
      .meta({ unit: 'samples' })
      .describe('Samples of a batch; all of them where there are fewer.'),
  }),
  outputs: { model: 'Model' },
  report: attackFigures,
});

export { method as batchNormAdaptationMethod };

export type BatchNormAdaptationOptions = OptionsOf<typeof method>;

/**
 * Lets the batch norms of a copy of `model` follow a domain's inputs.
 *
 * @throws ERR_MODEL_UNSUPPORTED for a model without batch norms; else as attack.fineTune
 */
export function batchNormAdaptation(model: Model, options: BatchNormAdaptationOptions) {
  return method.start({ model }, options);
}
