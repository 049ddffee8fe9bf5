import * as z from 'zod';
import type { Model } from '../model.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import { sparsityFigures } from '../schema/sparsity.js';
import { supervisedOptions } from '../schema/training.js';

const structure = z.union([
  z.enum(['unstructured', 'channel']),
  z.strictObject({
    n: z.int().min(1).max(1024).describe('Weights kept of each group.'),
    m: z.int().min(2).max(1024).describe('Neighbouring weights of a row that make a group.'),
  }),
]);

// Sets the weights of least magnitude to zero, at once or step by step with training in between.
// Han et al. 2015, section 3; gradual: Zhu and Gupta 2017, eq. 1; n of m: Mishra et al. 2021.
const method = defineMethod({
  name: 'prune.magnitude',
  summary: 'Sets the weights (or output channels) of least magnitude to zero.',
  source: 'Han et al. 2015; Zhu and Gupta 2017 (gradual); Mishra et al. 2021 (n of m)',
  inputs: { model: handle('Model').describe('The model to prune.') },
  options: z.strictObject({
    domain: handle('Domain').optional().describe('Trained on by gradual and fineTune, which require it.'),
    sparsity: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe("Share removed: of weights, of channels with structure 'channel'; not with { n, m }."),
    scope: z
      .enum(['global', 'layer'])
      .default('global')
      .describe('Whether all layers compete, or each loses the same share.'),
    structure: structure
      .default('unstructured')
      .describe('What is removed: single weights, whole output channels, or all but n of every m weights.'),
    layerFloor: z.number().min(0).max(1).default(0).describe('Least share that each layer loses.'),
    layerCeiling: z.number().min(0).max(1).default(1).describe('Largest share that a layer may lose.'),
    include: z
      .array(z.string())
      .default([])
      .describe('Patterns of parameter paths to prune; empty: every convolution and linear weight.'),
    exclude: z.array(z.string()).default([]).describe('Patterns of parameter paths to leave as they are.'),
    gradual: z
      .strictObject({
        steps: z.int().min(1).max(10000).default(4).describe('Prunings on the way to the sparsity.'),
        epochsPerStep: z
          .int()
          .min(1)
          .max(10000)
          .default(1)
          .meta({ unit: 'epochs' })
          .describe('Training after each, with the options of fineTune.'),
        schedule: z.enum(['cubic']).default('cubic').describe('How the sparsity rises.'),
      })
      .optional()
      .describe('Prune step by step, training in between.'),
    fineTune: supervisedOptions.optional().describe('Training at the end with the zeros held.'),
  }),
  outputs: { model: 'Model', mask: 'Mask' },
  report: z.strictObject({
    requested: z.number().nullable().describe('The sparsity asked for.'),
    scope: z.enum(['global', 'layer']).describe('As asked for.'),
    structure: structure.describe('As asked for.'),
    ...sparsityFigures.shape,
    stages: z
      .array(
        z.strictObject({
          sparsity: z.number().describe('After the pruning; of channels with structure channel.'),
          epochs: z.int().describe('Of training after it.'),
        }),
      )
      .describe('One entry a pruning.'),
    fineTune: z.unknown().describe('The figures of train.supervised, or null.'),
  }),
});

export { method as magnitudeMethod };

export type MagnitudeOptions = OptionsOf<typeof method>;

/**
 * Prunes a copy of `model`: exactly round(weights x sparsity) of them become zero, of equal magnitudes the
 * first in order.
 *
 * @returns the pruned model, and the mask that it obeys
 * @throws ERR_TARGET_UNREACHABLE when floors and ceilings forbid the sparsity, ERR_MODEL_UNSUPPORTED for NaN
 *   weights or a model without anything to prune
 */
export function magnitude(model: Model, options: MagnitudeOptions) {
  return method.start({ model }, options);
}
