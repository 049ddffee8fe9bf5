import * as z from 'zod';
import type { Model } from '../model.js';
import { answers, attackCost, attackFigures, attackSamples, attackUpdates } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// Magnitude pruning of somebody else's model: does what protects it live in small weights? It takes no data;
// whoever has some fine-tunes afterwards, with the zeros held. Han et al. 2015, section 3.
const method = defineMethod({
  name: 'attack.prune',
  summary: 'Sets the smallest weights of a model to zero, with or without fine-tuning afterwards.',
  source: 'Han et al. 2015',
  inputs: { model: handle('Model').describe('The model to attack.') },
  options: attackSamples.extend({
    domain: handle('Domain').describe('Measured on its report data; fine-tuned on its fit data.'),
    sparsity: z
      .array(z.number().gt(0).lt(1))
      .default([0.5])
      .describe('Shares of zeros to reach, each from the given model; the last is returned.'),
    scope: z
      .enum(['global', 'layer'])
      .default('layer')
      .describe('Whether all layers compete, or each loses the same share.'),
    steps: z
      .int()
      .min(0)
      .max(10000000)
      .default(0)
      .meta({ unit: 'steps' })
      .describe('Of fine-tuning after each pruning, its zeros held; 0: no data is trained on.'),
    ...attackUpdates,
  }),
  outputs: { model: 'Model' },
  report: attackFigures.extend({
    rows: z
      .array(
        z.strictObject({
          sparsity: z.number().describe('Asked for.'),
          weights: z.int().describe('That may be pruned.'),
          zeros: z.int().describe('Among them afterwards.'),
          cut: z.int().describe('Those of them that were not zero before.'),
          after: answers.describe('On report data.'),
          learningRate: z.number().nullable().describe('The one taken; null without fine-tuning.'),
          selectAccuracy: z
            .number()
            .nullable()
            .describe('On select data with it; null where there was one learning rate at most.'),
          cost: attackCost.describe('What this one took.'),
        }),
      )
      .describe('One entry a sparsity, ascending.'),
  }),
});

export { method as pruneMethod };

export type PruneOptions = OptionsOf<typeof method>;

/**
 * Prunes copies of `model`, one a sparsity: exactly round(weights x sparsity) weights are zero afterwards, those
 * that were zero already among them. The copy of the largest sparsity is returned.
 *
 * @throws ERR_MODEL_UNSUPPORTED for NaN weights or a model without anything to prune; else as attack.fineTune
 */
export function prune(model: Model, options: PruneOptions) {
  return method.start({ model }, options);
}
