import * as z from 'zod';
import type { Model } from '../model.js';
import { answers } from '../schema/attack.js';
import { handle, oneOrList } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

const estimate = z.strictObject({
  value: z.number().nullable().describe('Of the samples as they are; null where it is not defined.'),
  interval: z
    .array(z.number())
    .nullable()
    .describe(
      'At 95 %: percentiles of the bootstrap; null without a value, or where more than 5 % of the resamples have none.',
    ),
});

const domainDrop = z.strictObject({
  domain: z.string().describe('Its name.'),
  original: answers.describe('The original on report data.'),
  protected: answers.describe('The protected model on the same.'),
  pairs: z
    .strictObject({
      both: z.int().describe('Both were right.'),
      onlyFirst: z.int().describe('The original alone.'),
      onlySecond: z.int().describe('The protected model alone.'),
      neither: z.int().describe('Neither was right.'),
    })
    .describe('Samples by who was right: what the bootstrap draws from.'),
  drop: estimate.describe("What protection took of the original's accuracy; negative: it gained."),
});

// How dear protection is to the owner over what it costs whoever takes the model elsewhere.
// ST-D: Peng et al., CVPR 2024, arXiv 2403.04149; the null rule and the intervals are ours.
const method = defineMethod({
  name: 'evaluate.sourceTargetDrop',
  summary: 'Compares what protection took from the source with what it took from the targets.',
  source: 'Peng et al., CVPR 2024, arXiv 2403.04149 (ST-D); the intervals are our own',
  inputs: {
    original: handle('Model').describe('The model before it was protected.'),
    protected: handle('Model').describe('The model that is given away.'),
  },
  options: z.strictObject({
    source: handle('Domain').describe('Where the model is to keep working; its report data is read.'),
    target: oneOrList('Domain').describe('Where it is to be of no use; report data of each is read.'),
    resamples: z.int().min(100).max(100000).default(2000).describe('Of the bootstrap.'),
  }),
  outputs: {},
  report: z.strictObject({
    source: domainDrop.describe('The source.'),
    targets: z
      .array(
        domainDrop.extend({
          sourceTargetDrop: estimate.describe(
            "ST-D: the source's drop over this one; null where a drop is, or this one is nearer to 0 than 0.01.",
          ),
        }),
      )
      .describe('The targets, in their order.'),
    meanTargetDrop: estimate.describe('Mean of the drops on the targets; null where one is.'),
    ratioOfMeans: estimate.describe(
      "The source's drop over the mean of the targets'; null by the same rule.",
    ),
    meanOfRatios: estimate.describe('Mean of the ratios of the targets; null where one is.'),
  }),
});

export { method as sourceTargetDropMethod };

export type SourceTargetDropOptions = OptionsOf<typeof method>;

/**
 * Measures how much of `original`'s accuracy `protectedModel` lost on the source and on each target, and the
 * ratio of the two.
 *
 * @throws ERR_DATA_INVALID for a domain without report data or with more classes than a model, and for one that
 *   is named twice; ERR_OUT_OF_RANGE without a target
 */
export function sourceTargetDrop(original: Model, protectedModel: Model, options: SourceTargetDropOptions) {
  return method.start({ original, protected: protectedModel }, options);
}
