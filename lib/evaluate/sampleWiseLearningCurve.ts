import * as z from 'zod';
import type { Model } from '../model.js';
import { handle, wordsOr } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import { transferOptions } from '../schema/transfer.js';

const spread = z.strictObject({
  mean: z.number().describe('Over the seeds.'),
  deviation: z.number().describe('Standard deviation over the seeds (n - 1); 0 for one seed.'),
  values: z.array(z.number()).describe('A seed each.'),
});

const point = z.strictObject({
  samples: z.int().describe('That were trained on.'),
  accuracy: spread.describe('On report data after the last step.'),
  learningRates: z.array(z.number()).describe('The chosen one, a seed each.'),
});

// Accuracy after fine-tuning on more and more samples of a domain, less that of a baseline under the same
// protocol, as an area over the logarithm of the samples (SLC-AUC).
// Ding et al. 2024, arXiv 2410.08015; here every curve has the same steps and the same learning rates.
const method = defineMethod({
  name: 'evaluate.sampleWiseLearningCurve',
  summary: 'Measures how much a model helps whoever fine-tunes it on a domain, against a baseline.',
  source: 'Ding et al. 2024, arXiv 2410.08015',
  inputs: { model: handle('Model').describe('The model to measure.') },
  options: transferOptions.extend({
    domain: handle('Domain').describe('Trained on its fit data, measured on its report data.'),
    baseline: wordsOr(['scratch', 'scratch-under-mask'], 'Model')
      .default('scratch')
      .describe(
        "What the model is compared with: fresh weights, the same under the model's mask, or a model.",
      ),
    counts: z
      .array(z.int().min(1))
      .optional()
      .describe('Numbers of samples; by default 15, 60, 250, 1000 and 4000, as far as there are so many.'),
    fractions: z
      .array(z.number().gt(0).max(1))
      .optional()
      .describe('The same as shares of the fit data, rounded down.'),
    seeds: z
      .int()
      .min(1)
      .max(1000)
      .default(3)
      .describe('Repetitions; each draws its own samples, their order and fresh weights.'),
  }),
  outputs: {},
  report: z.strictObject({
    baseline: z.string().describe("'scratch', 'scratch-under-mask' or 'model'."),
    area: z
      .strictObject({
        ln: spread.describe('Over the natural logarithm of the samples.'),
        log10: spread.describe('Over the decadic logarithm.'),
        normalized: spread.describe('Mean gap in accuracy: the area divided by the length of the axis.'),
      })
      .describe('Of the model less the baseline: positive where the model helps.'),
    curves: z
      .strictObject({
        model: z.array(point).describe('One entry a number of samples, ascending.'),
        baseline: z.array(point).describe('The same of the baseline.'),
      })
      .describe('The two learning curves.'),
    reportSamples: z.int().describe('That each accuracy was measured on.'),
    trainings: z.int().describe('Of all points, seeds and learning rates.'),
    steps: z.int().describe('Of all trainings.'),
    images: z.int().describe('That all trainings saw.'),
  }),
});

export { method as sampleWiseLearningCurveMethod };

export type SampleWiseLearningCurveOptions = OptionsOf<typeof method>;

/**
 * Measures the area between the learning curves of `model` and of a baseline on a domain.
 *
 * @throws ERR_DATA_INVALID for a domain that lacks a role or has other classes than the model, ERR_OUT_OF_RANGE
 *   for more samples than there are, ERR_MODEL_UNSUPPORTED for a frozen model
 */
export function sampleWiseLearningCurve(model: Model, options: SampleWiseLearningCurveOptions) {
  return method.start({ model }, options);
}
