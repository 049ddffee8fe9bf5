import * as z from 'zod';
import type { Model } from '../model.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import {
  augmentationOptions,
  keepZerosOption,
  lossOptions,
  precisionOption,
  scheduleOptions,
} from '../schema/training.js';

const share = z.number().gt(0).max(1);

const options = z.strictObject({
  domain: handle('Domain').describe('Trains on its fit data; its select data measures the trail.'),
  teacher: handle('Model').optional().describe('Model whose outputs are learned with soft targets.'),
  epochs: z
    .int()
    .min(1)
    .max(100000)
    .default(30)
    .meta({ unit: 'epochs' })
    .describe('Training in which the thresholds are learned.'),
  fineTuneEpochs: z
    .int()
    .min(0)
    .max(100000)
    .default(10)
    .meta({ unit: 'epochs' })
    .describe('Training afterwards with the pruned weights held at zero; 0: none.'),
  batchSize: z
    .int()
    .min(1)
    .max(1048576)
    .default(64)
    .meta({ unit: 'samples' })
    .describe('Samples of one step.'),
  lambda: z
    .union([z.literal('auto'), z.number().min(0)])
    .default('auto')
    .describe("Loss that a weight must be worth to be kept; 'auto': 2 / number of prunable weights."),
  temperature: z
    .union([z.literal('auto'), z.number().gt(0)])
    .default('auto')
    .describe(
      "Width of the gate, relative to the variance of a layer's magnitudes; 'auto': 24 / steps, within 0.001 and 0.05.",
    ),
  thresholdRule: z
    .enum(['normalised', 'plain'])
    .default('normalised')
    .describe('How a threshold moves: by shares of its temperature, or by its plain gradient.'),
  thresholdRate: z
    .union([z.literal('auto'), z.number().gt(0)])
    .default('auto')
    .describe(
      "Learning rate of the thresholds; 'auto': one temperature a step at most, with 'plain' at the first step.",
    ),
  layerRates: z
    .record(z.string(), z.number().min(0))
    .default({})
    .describe('Factors on that rate by pattern of parameter path; 0 leaves a threshold where it is.'),
  weightGradient: z
    .enum(['approximate', 'exact'])
    .default('approximate')
    .describe("Whether a weight's gradient takes the gate as constant, as published, or follows it too."),
  initialDensity: share
    .default(1)
    .describe('Share of each layer that stands above its threshold at the start.'),
  maxLayerSparsity: z
    .number()
    .min(0)
    .lt(1)
    .default(0.999)
    .describe('Largest share that a layer may lose; a step of its threshold beyond is undone.'),
  target: z
    .strictObject({
      density: share.optional().describe('Share to keep of the prunable weights.'),
      compression: z.number().min(1).optional().describe('Its inverse.'),
    })
    .optional()
    .describe('Where the thresholds stop rising: give either.'),
  include: z
    .array(z.string())
    .default([])
    .describe('Patterns of parameter paths to prune; empty: every convolution and linear weight.'),
  exclude: z.array(z.string()).default([]).describe('Patterns of parameter paths to leave as they are.'),
  optimizer: z
    .strictObject({
      learningRate: z.number().gt(0).default(0.01).describe('Largest learning rate; the schedule scales it.'),
      momentum: z.number().min(0).lt(1).default(0.9).describe('Momentum of SGD.'),
      nesterov: z.boolean().default(false).describe("Whether SGD looks ahead (Nesterov's momentum)."),
      weightDecay: z.number().min(0).default(0).describe('On the weights before their gates.'),
    })
    .prefault({})
    .describe('SGD on the weights.'),
  schedule: scheduleOptions
    .extend({
      kind: scheduleOptions.shape.kind.unwrap().default('constant').describe('How the learning rate falls.'),
    })
    .prefault({})
    .describe('The learning rate of the weights while thresholds are learned.'),
  augmentation: augmentationOptions.prefault({}).describe('Random changes of the images.'),
  ...lossOptions,
  precision: precisionOption,
  keepZeros: keepZerosOption.describe(
    "Whether zero weights count as pruned from the start; 'auto': where the manifest says that the model is pruned.",
  ),
  trail: z
    .strictObject({
      every: z.int().min(1).default(1).meta({ unit: 'epochs' }).describe('Between snapshots.'),
      snapshots: z
        .int()
        .min(1)
        .max(1000)
        .default(40)
        .describe('Most that are kept; beyond, the one closest to its neighbour goes.'),
    })
    .prefault({})
    .describe('The snapshots among which one can pick; one is kept where the density fell by 2 %.'),
  refreshBatches: z
    .int()
    .min(0)
    .max(100000)
    .default(50)
    .meta({ unit: 'batches' })
    .describe('Forwarded after pruning, so that the statistics of batch norms follow.'),
});

const accuracy = (what: string) => z.number().describe(what);

const report = z.strictObject({
  density: z.number().describe('Share kept of the prunable weights.'),
  compression: z.number().describe('Its inverse.'),
  compressionAll: z.number().describe('All parameters over those that are left.'),
  macRatio: z.number().describe("Share left of the pruned layers' multiplications."),
  lambda: z.number().describe('As used.'),
  temperature: z.number().describe('Relative, as used.'),
  targetReached: z.boolean().describe('Whether the target stopped the thresholds; false without one.'),
  accuracy: z
    .strictObject({
      dense: accuracy('Before.'),
      soft: accuracy('At the end of the learning of thresholds, through the gates.'),
      hard: accuracy('With the pruned weights at zero and batch norms refreshed.'),
      fineTuned: accuracy('After fine-tuning; null without.').nullable(),
    })
    .describe('On select data.'),
  layers: z
    .array(
      z.strictObject({
        path: z.string().describe('Of the parameter.'),
        weights: z.int().describe('How many it has.'),
        kept: z.int().describe('How many are left.'),
        density: z.number().describe('Share that is left.'),
        softDensity: z.number().describe('Mean of the gates.'),
        inTransition: z
          .number()
          .describe('Share of the weights whose gate is neither open nor shut: |z| < 4.'),
        threshold: z.number().describe('On the magnitude.'),
        temperature: z.number().describe('Of the squared weight.'),
        thresholdGradient: z
          .number()
          .describe('Of the loss, at the last step, by the threshold on the square.'),
        stepsUndone: z.int().describe('Because too few weights would have been left.'),
        multiplyAccumulates: z.int().describe('Of one sample, dense.'),
        histogram: z
          .strictObject({
            largest: z.number().describe('Magnitude; the bins divide what is below it evenly.'),
            counts: z.array(z.int()).describe('Weights a bin, before the pruned ones became zero.'),
          })
          .describe('Of the magnitudes.'),
      }),
    )
    .describe('One entry a pruned parameter.'),
  epochs: z
    .array(
      z.strictObject({
        epoch: z.int().describe('From 1.'),
        step: z.int().describe('Done by then.'),
        loss: z.number().describe('Mean of the epoch, without the cost of weights.'),
        learningRate: z.number().describe('At the last step.'),
        density: z.number().describe('Share above the thresholds.'),
        softDensity: z.number().describe('Mean of the gates.'),
        softAccuracy: z.number().describe('On select data, through the gates.'),
        hardAccuracy: z.number().describe('On select data, with what is below its threshold at zero.'),
        layerDensity: z.array(z.number()).describe('In the order of layers.'),
        layerInTransition: z.array(z.number()).describe('In the order of layers.'),
      }),
    )
    .describe('One entry an epoch.'),
  trail: z
    .array(
      z.strictObject({
        epoch: z.int().describe('From 1.'),
        step: z.int().describe('Done by then.'),
        density: z.number().describe('Of the snapshot.'),
        accuracy: z.number().describe('On select data, not fine-tuned.'),
      }),
    )
    .describe('The snapshots of the trail.'),
  fineTune: z.unknown().describe('The figures of train.supervised, or null.'),
});

// A threshold a layer, on the squares of its weights, learned by gradient descent together with them.
// Azarian, Bhalgat, Lee, Blankevoort 2020, arXiv 2003.00075.
const method = defineMethod({
  name: 'prune.learnedThreshold',
  summary: 'Learns a threshold for every layer together with its weights, and prunes what is below.',
  source: 'Azarian et al. 2020, Learned Threshold Pruning (arXiv 2003.00075)',
  inputs: { model: handle('Model').describe('The trained model to prune.') },
  options,
  outputs: { model: 'Model', mask: 'Mask', trail: 'Trail' },
  report,
});

export { method as learnedThresholdMethod };

export type LearnedThresholdOptions = OptionsOf<typeof method>;

/**
 * Prunes a copy of `model` by learned thresholds, then fine-tunes it under the mask.
 *
 * The method is claimed by US patent 11,704,571: see docs/methods/prune.learnedThreshold.md.
 *
 * @returns the pruned model, its mask, and the trail of sparser and sparser models that it passed through
 * @throws ERR_MODEL_UNSUPPORTED for a frozen model or one without anything to prune, ERR_DATA_INVALID for a domain
 *   without fit or select data, ERR_DIVERGED when a loss or gradient is not finite
 */
export function learnedThreshold(model: Model, options: LearnedThresholdOptions) {
  return method.start({ model }, options);
}
