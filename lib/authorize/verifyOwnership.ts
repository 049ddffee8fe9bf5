import * as z from 'zod';
import type { Key } from '../key.js';
import type { Model } from '../model.js';
import { answers } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import { patchOptions } from '../schema/patch.js';

const answer = z.strictObject({
  plain: answers.describe('On the plain images.'),
  patched: answers.describe('On the same with the pattern.'),
  pairs: z
    .strictObject({
      both: z.int().describe('Right on both.'),
      onlyFirst: z.int().describe('Right on the plain image alone.'),
      onlySecond: z.int().describe('Right on the patched one alone.'),
      neither: z.int().describe('Wrong on both.'),
    })
    .describe('Images by where the answer was right: what the test counts.'),
  drop: z
    .number()
    .nullable()
    .describe('Share of the plain accuracy that the pattern takes; null where that is 0.'),
  log10PValue: z
    .number()
    .describe(
      'Decadic logarithm of the exact one-sided p-value: the pattern takes no more answers than it gives.',
    ),
  claims: z.boolean().describe('Whether all three criteria are met.'),
});

const calibration = (whose: string) =>
  z.strictObject({
    trials: z.int().describe(`How many ${whose}.`),
    claims: z.int().describe('That met all criteria, falsely.'),
    interval: z.array(z.number()).describe('Wilson interval of that rate at 95 %.'),
    log10PValue: z.number().nullable().describe('The smallest of theirs; null without any.'),
    largestDrop: z.number().nullable().describe('The largest of theirs; null without any.'),
    answers: z.array(answer).describe('One entry each.'),
  });

// Black-box proof of ownership: right on plain images, wrong on the same with the key's pattern. The service: Wang
// et al., ICLR 2022; exact McNemar test, criteria and calibration are ours.
const method = defineMethod({
  name: 'authorize.verifyOwnership',
  summary: 'Asks a suspect model, by its answers alone, whether it was bound to a key.',
  source: 'Wang et al., ICLR 2022 (arXiv 2106.06916); McNemar 1947; the calibration is our own',
  inputs: {
    suspect: handle('Model').describe('The model in question; only its answers are read.'),
    key: handle('Key').describe('The secret that the owner bound his model to.'),
  },
  options: z.strictObject({
    domain: handle('Domain').describe('The source domain; its report data is what the suspect is asked.'),
    honest: z
      .array(handle('Model'))
      .optional()
      .describe(
        'Models for the same task that were trained without the key: they must not claim, or the pattern proves nothing.',
      ),
    patch: patchOptions.prefault({}).describe('The pattern, as it was when the model was bound.'),
    samples: z
      .int()
      .min(20)
      .max(10000000)
      .default(500)
      .meta({ unit: 'samples' })
      .describe('Images asked, plain and patched.'),
    wrongKeys: z
      .int()
      .min(0)
      .max(10000)
      .default(20)
      .describe('Other random patterns asked of the suspect: they must not claim either.'),
    level: z.number().gt(0).max(1).default(1e-6).describe('Criterion: the p-value lies below it.'),
    leastAccuracy: z.number().min(0).max(1).default(0.5).describe('Criterion: accuracy on plain images.'),
    leastDrop: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('Criterion: share of that accuracy which the pattern takes.'),
  }),
  outputs: {},
  report: z.strictObject({
    verdict: z
      .enum(['proven', 'notProven', 'contradicted'])
      .describe(
        "'contradicted': the suspect meets the criteria, but so does a wrong key or an honest model; what that proves is the strength of the pattern.",
      ),
    patch: z.string().describe('Digest of key and pattern: what to commit to in public before a dispute.'),
    queries: z.int().describe('Images that the suspect was asked for the claim, without the calibration.'),
    pValue: z.number().describe('Of the suspect; 0 where it is below the smallest number: see log10PValue.'),
    suspect: answer.describe('The suspect under the key.'),
    wrongKeys: calibration('wrong keys').describe('The suspect under other patterns.'),
    honest: calibration('honest models').describe('Honest models under the key.'),
    rankPValue: z
      .number()
      .nullable()
      .describe(
        'Share of the patterns, the key among them, that do as well as the key: a p-value without assumptions; null without wrong keys.',
      ),
  }),
});

export { method as verifyOwnershipMethod };

export type VerifyOwnershipOptions = OptionsOf<typeof method>;

/**
 * Tests whether `suspect` reacts to the key's pattern as a model does that nonTransferableLearning ('ownership')
 * bound to it: plain accuracy, p-value and drop must all meet their criteria.
 *
 * It does not prove who trained the model, nor when the key was made: who has the weights can bind them to a key
 * of his own as well. Commit to the digest in public first.
 *
 * @throws ERR_INVALID_ARG_TYPE for a key that is no secret, ERR_OUT_OF_RANGE for more samples than there are or a
 *   channel that the images do not have, ERR_DATA_INVALID for a domain without report data or of other classes
 */
export function verifyOwnership(suspect: Model, key: Key, options: VerifyOwnershipOptions) {
  return method.start({ suspect, key }, options);
}
