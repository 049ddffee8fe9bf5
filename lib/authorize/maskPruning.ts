import * as z from 'zod';
import type { Model } from '../model.js';
import { handle, oneOrList } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import { maybeAccuracy, sourceFigures, targetFigures } from '../schema/sourceTargets.js';
import { sparsityFigures } from '../schema/sparsity.js';
import { capOverOption, precisionOption } from '../schema/training.js';

const count = (least: number, most: number) => z.int().min(least).max(most);

const common = {
  lambda: z.number().min(0).default(0.1).describe("Weight of the target's loss; 0: no target."),
  capOver: capOverOption,
  scoreStart: z.number().default(0.01).describe('Of every score: nothing is pruned at first.'),
  threshold: z.number().default(0.005).describe('A weight is pruned while its score is not above it.'),
  batchSize: count(1, 1048576)
    .default(32)
    .meta({ unit: 'samples' })
    .describe('Of the source, and as many of a target; several targets take turns.'),
  readings: count(1, 100000)
    .default(6)
    .describe('How often the source is measured on the way; the last mask that holds the floor is returned.'),
  sourceFloor: z
    .number()
    .min(0)
    .max(1)
    .default(0.02)
    .describe('Source accuracy that may be lost on select data; beyond, an earlier mask is returned.'),
  include: z
    .array(z.string())
    .default([])
    .describe(
      'Patterns of parameter paths to mask; by default all weights of convolutions and linear layers.',
    ),
  exclude: z.array(z.string()).default([]).describe('Patterns of parameter paths to leave as they are.'),
  keepHead: z.boolean().default(false).describe('Whether the classifier is left as it is.'),
  maxPruned: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('Share of the weights that may be pruned: beyond, those of the highest scores come back.'),
  controls: z
    .boolean()
    .default(true)
    .describe(
      'Whether three more masks are measured: learned without a target, random, and by magnitude; half as much time again.',
    ),
  precision: precisionOption,
};

// A source that is there bears more.
const pace = (beta: number, learningRate: number, steps: number) => ({
  beta: z.number().gt(0).default(beta).describe("Above it the weighted target's loss counts no more."),
  learningRate: z
    .number()
    .gt(0)
    .default(learningRate)
    .describe('Of Adam on the scores, which move by about that much a step: far more flips many at once.'),
  steps: count(1, 10000000).default(steps).meta({ unit: 'steps' }).describe('Updates of the mask.'),
});

const weight = (value: number) => z.number().min(0).default(value);

const rounds = count(1, 10000)
  .default(2)
  .describe('How often the generator, then the mask is trained; the steps are split evenly.');

const generator = z
  .strictObject({
    latent: count(1, 65536).default(128).describe('Numbers of noise that an image is made of.'),
    channels: count(4, 4096).default(32).describe('Of its first convolution.'),
    steps: count(1, 10000000).default(500).meta({ unit: 'steps' }).describe('In the first round.'),
    laterSteps: count(1, 10000000).default(100).meta({ unit: 'steps' }).describe('In each later one.'),
    batchSize: count(2, 65536).default(64).meta({ unit: 'samples' }).describe('Images a step.'),
    learningRate: z.number().gt(0).default(1e-3).describe('Of its Adam.'),
    weightNorm: weight(10).describe("Of the distance from the statistics that the model's batch norms hold."),
    weightActivation: weight(0.1).describe(
      'Of the mean magnitude of what the classifier reads; in place of that for a model without batch norms.',
    ),
    weightDiversity: weight(1).describe('Of the entropy of the mean answer: all classes are made.'),
    weightVariation: weight(1e-3).describe('Of differences between neighbours, summed over an image.'),
    weightMagnitude: weight(1e-4).describe('Of squared pixels, summed over an image.'),
    weightDisagreement: weight(0.5).describe(
      'From the second round on, of the divergence between answers with the mask and without: images on which the mask hurts.',
    ),
    memory: count(2, 10000000)
      .default(2000)
      .meta({ unit: 'samples' })
      .describe('Images that are remembered; a new one takes the place of any.'),
    confidence: z
      .number()
      .min(0)
      .max(1)
      .default(0.8)
      .describe('Of the model in the class that an image was made for, for it to be remembered.'),
  })
  .prefault({})
  .describe('What makes images that stand for the source.');

const diversifier = z
  .strictObject({
    directions: count(1, 256).default(4).describe('How many neighbour domains are made.'),
    steps: count(1, 10000000).default(100).meta({ unit: 'steps' }).describe('Of each, a round.'),
    learningRate: z.number().gt(0).default(1e-2).describe('Of its Adam.'),
    weightInformation: weight(0.1).describe('Of what its images tell about those that they are made of.'),
    leastAccuracy: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('Of the model on its images; below, they no longer show their class and are not trained on.'),
  })
  .prefault({})
  .describe('What makes neighbour domains of them, in place of a target.');

const options = z.discriminatedUnion('variant', [
  z.strictObject({
    variant: z.literal('sourceAvailable').describe('What data there is.'),
    source: handle('Domain').describe(
      'Where the model keeps working: trains on its fit data, decides on its select data.',
    ),
    target: oneOrList('Domain').describe('Where it must not be of use: its fit data is trained against.'),
    targetLabels: z
      .enum(['given', 'pseudo'])
      .default('given')
      .describe("The target's own labels, or the given model's answers in their place: then none are read."),
    ...pace(0.5, 5e-4, 600),
    ...common,
  }),
  z.strictObject({
    variant: z.literal('sourceFree'),
    target: oneOrList('Domain').describe(
      'Where it must not be of use, without labels: its fit data is trained against.',
    ),
    rounds,
    generator,
    ...pace(0.1, 1e-4, 300),
    ...common,
  }),
  z.strictObject({
    variant: z.literal('dataFree'),
    imageShape: z
      .array(count(1, 16384))
      .length(3)
      .optional()
      .describe("Channels, height and width of an image; by default what the model's manifest tells."),
    rounds,
    generator,
    diversifier,
    ...pace(0.1, 1e-4, 300),
    ...common,
  }),
]);

const report = sparsityFigures.extend({
  source: sourceFigures(
    z
      .string()
      .nullable()
      .describe(
        'Its name; null for a source that is not there: images that were made stand for it, and accuracy there is agreement with the given model.',
      ),
  ).describe('On select data, or on images that were made and not trained on.'),
  targets: targetFigures.describe('On select data.'),
  readings: z
    .array(
      z.strictObject({
        step: z.int().describe('Done by then.'),
        sourceLoss: z.number().describe('Mean since the last reading, nats.'),
        targetLoss: z.number().nullable().describe('The same of the target; null with lambda 0.'),
        sourceAccuracy: z.number().describe('As above.'),
        pruned: z.number().describe('Share of the weights.'),
        holdsFloor: z.boolean().describe('Whether the accuracy holds the floor.'),
      }),
    )
    .describe('On the way.'),
  controls: z
    .array(
      z.strictObject({
        name: z
          .string()
          .describe("'lambda 0': learned without a target; 'random', 'magnitude': as many weights a layer."),
        pruned: z.number().describe('Share of the weights.'),
        source: z.number().describe('Accuracy on the source, as above.'),
        targets: z.array(maybeAccuracy).describe('On each target.'),
      }),
    )
    .describe('Other masks on the same model; empty where none were asked for.'),
  generator: z
    .array(
      z.strictObject({
        agreement: z.number().describe('Share of its images that the model takes for their class.'),
        confidence: z.number().describe("Mean of the model's in its answers."),
        remembered: z.int().describe('Images in memory.'),
        fewest: z.int().describe('Of the class that has the fewest there.'),
        statistics: z
          .number()
          .nullable()
          .describe('Distance from what batch norms hold, at the end; null for a model without them.'),
      }),
    )
    .describe('One entry a round; empty where the source is there.'),
  diversifier: z
    .array(
      z.strictObject({
        direction: z.int().describe('Which, from 0.'),
        meaning: z.number().describe('Discrepancy of features within classes, mean over the steps.'),
        information: z.number().describe('Upper bound of what one image tells about the other, nats.'),
        accuracy: z
          .number()
          .describe("Of the model on the neighbours: its answers to the images they're of."),
      }),
    )
    .describe('One entry a direction and round; empty where the target is there.'),
  read: z
    .strictObject({
      source: z.int().describe('Of the source.'),
      target: z.int().describe('Of the targets.'),
      generated: z.int().describe('Images that were made.'),
    })
    .describe('How many samples there were to read, fit and select.'),
  dense: z.string().describe('Digest of the given model: the one that the mask is for.'),
  steps: z.int().describe('Updates of the mask.'),
});

const method = defineMethod({
  name: 'authorize.maskPruning',
  summary:
    'Learns a mask over frozen weights, under which a model serves the source and fails on the target.',
  source: 'Peng et al., CVPR 2024, MAP (arXiv 2403.04149); Mallya et al. 2018 (arXiv 1801.06519)',
  inputs: { model: handle('Model').describe('A classifier trained on the source.') },
  options,
  outputs: { model: 'Model', mask: 'Mask' },
  report,
});

export { method as maskPruningMethod };

export type MaskPruningOptions = OptionsOf<typeof method>;

/**
 * Learns which weights of a copy of `model` serve the target and cuts them; no other weight changes by a bit. The
 * mask is a right that can be granted and taken back: see applyMask and removeMask.
 *
 * It acts on the model as it is given away: whoever trains it on labelled data of a target gets the accuracy back.
 *
 * @returns the masked model, saved with a public manifest by default, and the mask, which fits the given model
 * @throws ERR_MODEL_UNSUPPORTED for a frozen model, one of half precision or one without weights to mask,
 *   ERR_DATA_INVALID where source equals target or class counts differ, ERR_OUT_OF_RANGE for a threshold that is
 *   not below scoreStart, ERR_DIVERGED when a loss or gradient is not finite
 */
export function maskPruning(model: Model, options: MaskPruningOptions) {
  return method.start({ model }, options);
}
