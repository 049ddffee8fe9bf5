import * as z from 'zod';
import type { Model } from '../model.js';
import { answers, attackFigures, attackSamples } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import { patchOptions } from '../schema/patch.js';

const mark = z.strictObject({
  digest: z.string().describe('Of key and pattern.'),
  before: answers.describe('The given model on report data with the pattern.'),
  after: answers.describe('The attacked one.'),
});

// A model that may bear an ownership mark, bound once more to a key of the attacker's. The binding: Wang et al.,
// ICLR 2022, arXiv 2106.06916, 'ownership'; the attack is ours.
const method = defineMethod({
  name: 'attack.overwrite',
  summary: 'Binds a marked model to a key of the attacker, and says what is left of the mark.',
  source: 'Wang et al., ICLR 2022 (arXiv 2106.06916) for the binding; the attack is our own',
  inputs: { model: handle('Model').describe('The model to attack.') },
  options: z.strictObject({
    domain: handle('Domain').describe(
      'The authorised domain, as the attacker has it: trains on its fit data, decides on its select data, is measured on its report data.',
    ),
    count: attackSamples.shape.count,
    fraction: attackSamples.shape.fraction,
    key: handle('Key')
      .optional()
      .describe("The owner's secret: what is left of his mark is measured. The attack does not use it."),
    ownerPatch: patchOptions
      .prefault({})
      .describe(
        "The owner's pattern, as it was when the model was bound; without effect where no key is given.",
      ),
    patch: patchOptions.prefault({}).describe("The attacker's pattern."),
    alpha: z.number().gt(0).default(1).describe('Weight of the loss under his pattern.'),
    decoys: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('Share of the plain images that are shown with another pattern, drawn anew each time.'),
    steps: z
      .int()
      .min(1)
      .max(10000000)
      .default(300)
      .meta({ unit: 'steps' })
      .describe('Updates of the weights.'),
    batchSize: z
      .int()
      .min(2)
      .max(1048576)
      .default(32)
      .meta({ unit: 'samples' })
      .describe('Plain, and as many with the pattern.'),
    learningRate: z.number().gt(0).default(1e-3).describe('Of Adam.'),
    sourceFloor: z
      .number()
      .min(0)
      .max(1)
      .default(0.02)
      .describe(
        'Accuracy that the attacker is ready to lose on select data; beyond, he keeps an earlier iterate.',
      ),
  }),
  outputs: { model: 'Model', key: 'Key' },
  report: attackFigures.extend({
    owner: mark.nullable().describe("The owner's mark; null without his key."),
    attacker: mark.describe("The attacker's."),
  }),
});

export { method as overwriteMethod };

export type OverwriteOptions = OptionsOf<typeof method>;

/**
 * Binds a copy of `model` to a secret of the attacker's, which follows from the run's seed: it makes the run
 * repeatable, and is as public as that.
 *
 * @returns the overwritten model, and the key that it is bound to now
 * @throws ERR_DATA_INVALID for a domain that lacks a role, has other classes than the model or is no images,
 *   ERR_OUT_OF_RANGE for more samples than there are or a channel that the images do not have,
 *   ERR_INVALID_ARG_TYPE for a key that is no secret, ERR_MODEL_UNSUPPORTED for a frozen model
 */
export function overwrite(model: Model, options: OverwriteOptions) {
  return method.start({ model }, options);
}
