import * as z from 'zod';
import type { Model } from '../model.js';
import { handle, oneOrList } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import { patchOptions } from '../schema/patch.js';
import { maybeAccuracy, sourceFigures, targetFigures } from '../schema/sourceTargets.js';
import { capOverOption, keepZerosOption, precisionOption } from '../schema/training.js';

const count = (least: number, most: number) => z.int().min(least).max(most);

const common = {
  source: handle('Domain').describe(
    'Where the model keeps working: trains on its fit data, decides on its select data.',
  ),
  preset: z
    .enum(['espalier', 'paper'])
    .default('espalier')
    .describe("Values of the options that are left out: our own, or those of the official code ('paper')."),
  alpha: z.number().min(0).default(1).describe("Weight of the target's loss; 0 trains on the source alone."),
  beta: z
    .union([z.literal('off'), z.number().min(0)])
    .default(1)
    .describe("Weight of the discrepancy of features; 'off': the target's loss counts by itself."),
  capTarget: z.number().gt(0).default(5).describe("Above it the weighted target's loss counts no more."),
  capOver: capOverOption,
  capDiscrepancy: z.number().gt(0).default(1).describe('Above it the weighted discrepancy counts no more.'),
  reduction: z
    .enum(['batchMean', 'elementwise'])
    .default('batchMean')
    .describe(
      'How a loss is averaged: over samples, or over samples and classes, as the official code does, where the cap is reached at as many times more nats as there are classes.',
    ),
  featureLayer: z
    .string()
    .optional()
    .describe(
      'Path of the layer behind which features are compared; by default the first at two fifths of the depth that everything passes, with its norm.',
    ),
  kernels: z
    .strictObject({
      count: count(1, 64).default(5).describe('How many Gaussian kernels are summed.'),
      factor: z.number().gt(1).default(2).describe("From one kernel's squared width to the next."),
    })
    .prefault({})
    .describe('Of the discrepancy.'),
  batchNorm: z
    .enum(['joint', 'frozen'])
    .default('frozen')
    .describe(
      'Batch norms while training: over source and target together, or with the statistics that the model has (dropout is off then).',
    ),
  epochs: count(1, 100000)
    .optional()
    .meta({ unit: 'epochs' })
    .describe('In place of that: passes over the smallest of the fit data.'),
  batchSize: count(2, 1048576)
    .default(32)
    .meta({ unit: 'samples' })
    .describe('Of the source, and as many of a target; several targets take turns.'),
  learningRate: z.number().gt(0).default(1e-3).describe('Of Adam.'),
  learningRateDecay: z.number().gt(0).max(1).default(1).describe('Factor on it after each step.'),
  weightDecay: z.number().min(0).default(0).describe('L2 penalty on the weights.'),
  readings: count(1, 100000)
    .default(6)
    .describe(
      'How often the source is measured on the way; the last weights that hold the floor are returned.',
    ),
  sourceFloor: z
    .number()
    .min(0)
    .max(1)
    .default(0.02)
    .describe('Source accuracy that may be lost on select data; beyond, an earlier iterate is returned.'),
  refreshBatches: count(0, 100000)
    .default(40)
    .meta({ unit: 'batches' })
    .describe(
      "Of the source, over which 'joint' batch norms take their statistics anew at each reading; 0: never.",
    ),
  control: z
    .boolean()
    .default(true)
    .describe('Whether the same training without a target is measured too; half as much time again.'),
  keepZeros: keepZerosOption,
  precision: precisionOption,
};

// A secret pattern is taken up later than another domain.
const steps = (usual: number) =>
  count(1, 10000000).default(usual).meta({ unit: 'steps' }).describe('Updates of the weights.');

const key = handle('Key').describe('A secret, made by Key.create(); the pattern follows from it.');
const patch = patchOptions.prefault({}).describe('The pattern.');
const decoys = z
  .number()
  .min(0)
  .max(1)
  .default(0.5)
  .describe(
    'Share of the source images without the pattern that are shown with another, drawn anew each time: else any pattern does what the secret one does.',
  );

const augmentation = z
  .strictObject({
    latent: count(1, 65536).default(128).describe('Numbers of noise that an image is made of.'),
    channels: count(16, 16384)
      .default(128)
      .describe("Of the generator's first convolution; the official code has 1024."),
    steps: count(1, 10000000).default(800).meta({ unit: 'steps' }).describe('Of the two networks.'),
    batchSize: count(2, 65536).default(64).meta({ unit: 'samples' }).describe('Images a step.'),
    learningRate: z.number().gt(0).default(2e-4).describe('Of every Adam.'),
    classWeight: z.number().min(0).default(0.1).describe('Of the class of real images.'),
    distances: z
      .array(z.number().gt(0))
      .min(1)
      .default([0.1, 0.2, 0.3, 0.4, 0.5])
      .describe('Discrepancy from the source up to which images are driven away.'),
    directions: count(1, 64).default(4).describe('How many different ways; the first is free.'),
    distanceSteps: count(1, 10000000)
      .default(60)
      .meta({ unit: 'steps' })
      .describe('For each distance and direction.'),
    imagesPerCell: count(2, 10000000)
      .default(512)
      .meta({ unit: 'samples' })
      .describe('Kept of each distance and direction.'),
  })
  .prefault({})
  .describe('The images around the source that stand for what it must not work on.');

const options = z.discriminatedUnion('variant', [
  z.strictObject({
    variant: z
      .literal('targetSpecified')
      .describe(
        "What the model must not work on: a target domain; what is around the source ('sourceOnly', no target is needed); the source under a secret pattern, which proves ownership ('ownership'); or all but the source under a secret pattern ('authorization').",
      ),
    target: oneOrList('Domain').describe(
      'Where it must not be of use, labelled: its fit data is trained against.',
    ),
    steps: steps(600),
    ...common,
  }),
  z.strictObject({ variant: z.literal('sourceOnly'), augmentation, steps: steps(600), ...common }),
  z.strictObject({ variant: z.literal('ownership'), key, patch, decoys, steps: steps(1200), ...common }),
  z.strictObject({
    variant: z.literal('authorization'),
    target: oneOrList('Domain')
      .optional()
      .describe('Domains beside the source on which it must not work either, with the pattern or without.'),
    key,
    patch,
    decoys,
    steps: steps(1200),
    ...common,
  }),
]);

const report = z.strictObject({
  featureLayer: z.string().describe('The layer behind which features are compared.'),
  features: z.int().describe('How many a sample has there.'),
  source: sourceFigures(z.string().describe('Its name.')).describe('On select data.'),
  targets: targetFigures.describe('On select data: what the model must not work on.'),
  readings: z
    .array(
      z.strictObject({
        step: z.int().describe('Done by then.'),
        sourceLoss: z.number().describe('Mean since the last reading, nats.'),
        targetLoss: z.number().nullable().describe('The same of the target; null in a control.'),
        discrepancy: z.number().nullable().describe('The same of the features; null where it is off.'),
        sourceAccuracy: z.number().describe('On select data.'),
        holdsFloor: z.boolean().describe('Whether that holds the floor.'),
      }),
    )
    .describe('On the way.'),
  steps: z.int().describe('Updates of the weights.'),
  control: z
    .strictObject({
      source: z.number().describe('Accuracy on the source.'),
      targets: z
        .array(
          z.strictObject({
            domain: z.string().describe('Its name.'),
            accuracy: maybeAccuracy.describe('There; null without select data.'),
          }),
        )
        .describe('Accuracy on each target.'),
    })
    .nullable()
    .describe('The same training without a target, on select data; null where it was not asked for.'),
  augmentation: z
    .strictObject({
      images: z.int().describe('That were made and kept.'),
      agreement: z.number().describe('Share of them that the given model takes for their class.'),
      cells: z
        .array(
          z.strictObject({
            distance: z.number().describe('Asked for.'),
            direction: z.int().describe('From 0.'),
            discrepancy: z.number().describe('From the source, at the end.'),
            agreement: z.number().describe('Share that the critic takes for their class.'),
          }),
        )
        .describe('One entry a distance and direction.'),
    })
    .nullable()
    .describe('The images around the source; null where there is a target.'),
  patch: z
    .strictObject({
      digest: z.string().describe('Of key and pattern.'),
      pixels: z.int().describe('That the pattern has.'),
    })
    .nullable()
    .describe('The secret pattern; null without one.'),
});

const method = defineMethod({
  name: 'authorize.nonTransferableLearning',
  summary: 'Trains a model to fail outside the source domain, or under or without a secret pattern.',
  source: 'Wang et al., ICLR 2022, Non-Transferable Learning (arXiv 2106.06916)',
  inputs: { model: handle('Model').describe('A classifier trained on the source.') },
  options,
  outputs: { model: 'Model' },
  report,
  presets: {
    paper: {
      reduction: 'elementwise',
      alpha: 0.1,
      beta: 0.1,
      capTarget: 1,
      capOver: 'batch',
      learningRate: 1e-4,
      learningRateDecay: 0.999,
      epochs: 30,
      batchNorm: 'joint',
      decoys: 0,
      patch: { density: 0.75, cell: 1 },
    },
  },
});

export { method as nonTransferableLearningMethod };

export type NonTransferableLearningOptions = OptionsOf<typeof method>;

/**
 * Trains a copy of `model` that keeps its accuracy on the source and loses it where it must not work: on a target
 * domain, on images with a secret pattern ('ownership', see verifyOwnership), or on all images without it
 * ('authorization').
 *
 * It acts on the model as it is given away: whoever fine-tunes it on labelled data of a target gets much of the
 * accuracy back. Measure it with evaluate.authorization.
 *
 * @returns the protected model, saved with a public manifest by default
 * @throws ERR_MODEL_UNSUPPORTED for a frozen model or one without a place to take features at, ERR_DATA_INVALID
 *   where source equals target or class counts differ, ERR_INVALID_ARG_TYPE for a key that is no secret,
 *   ERR_DIVERGED when a loss or gradient is not finite
 */
export function nonTransferableLearning(model: Model, options: NonTransferableLearningOptions) {
  return method.start({ model }, options);
}
