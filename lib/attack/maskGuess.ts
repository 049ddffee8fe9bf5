import * as z from 'zod';
import type { Model } from '../model.js';
import { answers, attackFigures } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// A guess at what a mask took away, without training: every pruned weight gets a value, or a share of the mask is
// flipped and the rest stays pruned. He noise: He et al. 2015, eq. 10; the protocol is ours.
const method = defineMethod({
  name: 'attack.maskGuess',
  summary: 'Guesses what the mask of a pruned model took away, without training.',
  source: 'our own; He et al. 2015 (noise)',
  inputs: { model: handle('Model').describe('The pruned model to attack.') },
  options: z.strictObject({
    domain: handle('Domain').describe('Chosen on its select data, measured on its report data.'),
    refill: z
      .enum(['mean', 'he'])
      .default('mean')
      .describe(
        "What zeros get: the mean of their layer's other weights, or noise with variance 2 / fan-in.",
      ),
    flip: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe(
        'Share of the mask to flip, as many kept as pruned weights; 0: every pruned one is refilled.',
      ),
    tries: z
      .int()
      .min(1)
      .max(10000)
      .default(5)
      .describe('Guesses, each with a seed of its own; one where nothing is drawn (mean without flip).'),
  }),
  outputs: { model: 'Model' },
  report: attackFigures.extend({
    best: z.int().describe('The try that was taken.'),
    rows: z
      .array(
        z.strictObject({
          try: z.int().describe('Its number, from 1.'),
          refilled: z.int().describe('Zeros that got a value.'),
          removed: z.int().describe('Kept weights that became zero.'),
          zeros: z.int().describe('Of the prunable weights, afterwards.'),
          selectAccuracy: z
            .number()
            .nullable()
            .describe('On select data, which chooses; null where there was one try.'),
          after: answers.describe('On report data.'),
        }),
      )
      .describe('One entry a try.'),
  }),
});

export { method as maskGuessMethod };

export type MaskGuessOptions = OptionsOf<typeof method>;

/**
 * Guesses at the pruned weights of copies of `model`; the best copy on select data is returned.
 *
 * @throws ERR_MODEL_UNSUPPORTED for a model without zeros or a frozen one, ERR_OUT_OF_RANGE for a flip that changes
 *   nothing, ERR_DATA_INVALID for a domain that lacks a role or has other classes than the model
 */
export function maskGuess(model: Model, options: MaskGuessOptions) {
  return method.start({ model }, options);
}
