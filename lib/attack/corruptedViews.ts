import * as z from 'zod';
import type { Model } from '../model.js';
import { attackStart, attackTraining, sourceAttackFigures, sourceSamples } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

const { domain, source } = sourceSamples.shape;

// A little authorised data teaches a model to answer corrupted views of an image as it answers the image: a barrier
// built on how other domains look falls with it. TransNTL: Hong et al., CVPR 2024, as its authors' code has it.
const method = defineMethod({
  name: 'attack.corruptedViews',
  summary: 'Fine-tunes a model on a little authorised data, on corrupted views as on clean ones.',
  source: 'Hong et al., CVPR 2024 (TransNTL); Foret et al. 2021, arXiv 2010.01412 (SAM)',
  inputs: { model: handle('Model').describe('The model to attack.') },
  options: z.strictObject({
    domain,
    source,
    fraction: z
      .number()
      .gt(0)
      .max(1)
      .default(0.1)
      .describe("Share of the source's fit data that the attacker holds, rounded down."),
    weight: z.number().min(0).default(0.1).describe('Of the term of the views beside the cross-entropy.'),
    noise: z
      .number()
      .min(0)
      .default(0.2)
      .describe('Standard deviation of the noise; images are in [0, 1], and views are cut off there.'),
    rho: z
      .number()
      .min(0)
      .default(0.5)
      .describe('How far sharpness-aware minimisation climbs; 0: without it, in half the time.'),
    adaptive: z
      .boolean()
      .default(false)
      .describe('Whether it climbs in units of the size of each weight (ASAM).'),
    ...attackTraining,
    steps: attackTraining.steps.unwrap().default(300).describe('Updates of the weights in each training.'),
    learningRates: attackTraining.learningRates
      .unwrap()
      .default([1e-4])
      .describe('Constant learning rates to try; of several the best on select data is taken.'),
    maskHeld: attackStart.maskHeld,
  }),
  outputs: { model: 'Model' },
  report: sourceAttackFigures,
});

export { method as corruptedViewsMethod };

export type CorruptedViewsOptions = OptionsOf<typeof method>;

/**
 * Fine-tunes a copy of `model` on a little of its own domain, and on corrupted views of it.
 *
 * @throws ERR_DATA_INVALID for a source without images of 3 x 3 pixels or more; else as attack.elasticFineTune
 */
export function corruptedViews(model: Model, options: CorruptedViewsOptions) {
  return method.start({ model }, options);
}
