import * as z from 'zod';

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
    .describe(
      'Whether a frozen copy with folded batch norm may be used, from 32 samples on; the first 4 check it.',
    ),
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
