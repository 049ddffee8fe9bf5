import * as z from 'zod';
import type { Model } from '../model.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

/** How an evaluation computes. */
export const evaluationOptions = z.strictObject({
  batchSize: z
    .union([z.literal('auto'), z.int().min(1).max(1048576)])
    .default('auto')
    .meta({ unit: 'samples' })
    .describe("Samples of one forward; 'auto': by the device."),
  optimise: z
    .boolean()
    .default(true)
    .describe('Whether a frozen copy with folded batch norm may be used; the first batch checks it.'),
});

/** The figures of one model on one domain. */
export const classificationFigures = z.strictObject({
  accuracy: z.number().describe('Share of right answers.'),
  interval: z.array(z.number()).describe('Wilson interval of the accuracy at 95 %.'),
  loss: z.number().describe('Mean cross-entropy in nats.'),
  samples: z.int().describe('How many were evaluated.'),
  perClass: z
    .array(
      z.strictObject({
        class: z.int().describe('The true class.'),
        accuracy: z.number().nullable().describe('Share of right answers; null without samples.'),
        interval: z.array(z.number()).describe('Wilson interval at 95 %.'),
        samples: z.int().describe('How many are of that class.'),
      }),
    )
    .describe('One entry a class.'),
  confusion: z.array(z.array(z.int())).describe('Counts by true class and predicted class.'),
  expectedCalibrationError: z.number().describe('Over 15 bins of confidence.'),
  optimised: z.boolean().describe('Whether the frozen copy computed it.'),
  batchSize: z.int().describe('Samples of one forward.'),
});

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
