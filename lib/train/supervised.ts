import * as z from 'zod';
import type { Model } from '../model.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import { supervisedOptions } from '../schema/training.js';

/** The figures of a supervised training. */
export const supervisedFigures = z.strictObject({
  epochs: z
    .array(
      z.strictObject({
        epoch: z.int().describe('From 1.'),
        loss: z.number().describe('Mean training loss of the epoch.'),
        accuracy: z.number().describe("On the epoch's batches, while training."),
        learningRate: z.number().describe('At the last step.'),
        selectAccuracy: z.number().nullable().describe('On select data after the epoch; null without.'),
        selectLoss: z.number().nullable().describe('On select data after the epoch; null without.'),
      }),
    )
    .describe('One entry an epoch.'),
  steps: z.int().describe('Updates of the weights.'),
  finalLoss: z.number().describe('Of the last epoch.'),
  best: z
    .strictObject({
      epoch: z.int().describe('From 1.'),
      selectAccuracy: z.number().describe('Of that epoch.'),
    })
    .nullable()
    .describe('The best epoch on select data; null without.'),
  sparsity: z.number().describe('Share of zeros in the prunable weights.'),
});

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
