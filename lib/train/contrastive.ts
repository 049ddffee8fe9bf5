import * as z from 'zod';
import type { Model } from '../model.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import {
  augmentationOptions,
  keepZerosOption,
  optimizerOptions,
  precisionOption,
  scheduleOptions,
} from '../schema/training.js';

const { kind, learningRate, weightDecay } = optimizerOptions.shape;
const { flip, jitter, crop } = augmentationOptions.shape;

/** The same option with another default. */
const instead = <Value>(option: z.ZodDefault<z.ZodType<Value>>, value: Value) =>
  option
    .unwrap()
    .default(value as never)
    .describe(option.description ?? '');

const options = z.strictObject({
  domain: handle('Domain').describe('Trains on the images of its fit data; labels are not read.'),
  epochs: z
    .int()
    .min(1)
    .max(100000)
    .default(100)
    .meta({ unit: 'epochs' })
    .describe('Passes over the fit data.'),
  batchSize: z
    .int()
    .min(2)
    .max(1048576)
    .default(256)
    .meta({ unit: 'samples' })
    .describe('Images of one step, each seen twice; the others are what a view is told apart from.'),
  optimizer: optimizerOptions
    .extend({
      kind: instead(kind, 'adam'),
      learningRate: instead(learningRate, 1e-3),
      weightDecay: instead(weightDecay, 1e-6),
    })
    .prefault({})
    .describe('How the weights follow their gradients.'),
  schedule: scheduleOptions
    .extend({ warmup: instead(scheduleOptions.shape.warmup, 0.1) })
    .prefault({})
    .describe('The learning rate over the training.'),
  temperature: z
    .number()
    .gt(0)
    .default(0.5)
    .describe('Divides the cosine similarities: lower looks more at the nearest others.'),
  projection: z
    .strictObject({
      hidden: z
        .union([z.literal('auto'), z.int().min(1).max(65536)])
        .default('auto')
        .describe("Width of its hidden layer; 'auto': as many as the classifier reads."),
      width: z.int().min(1).max(65536).default(128).describe('Numbers an image is compared by.'),
    })
    .prefault({})
    .describe('Linear, ReLU, Linear between the features and the loss; thrown away at the end.'),
  augmentation: augmentationOptions
    .extend({ flip: instead(flip, true), jitter: instead(jitter, 0.4), crop: instead(crop, 0.2) })
    .prefault({})
    .describe('The random changes that make two views of an image; what they change is not learned.'),
  precision: precisionOption,
  keepZeros: keepZerosOption,
});

const method = defineMethod({
  name: 'train.contrastive',
  summary: 'Trains the encoder of a classifier on images without labels; the classifier is drawn anew.',
  source: 'SimCLR: Chen et al. 2020',
  inputs: { model: handle('Model').describe('The classifier whose encoder is trained.') },
  options,
  outputs: { model: 'Model' },
  report: z.strictObject({
    epochs: z
      .array(
        z.strictObject({
          epoch: z.int().describe('From 1.'),
          loss: z.number().describe('Mean of the epoch.'),
          matched: z.number().describe('Share of the views that were nearest to the other of their image.'),
          learningRate: z.number().describe('At the last step.'),
        }),
      )
      .describe('One entry an epoch.'),
    steps: z.int().describe('Updates of the weights.'),
    finalLoss: z.number().describe('Of the last epoch.'),
    negatives: z.int().describe('Views of other images that each view was told apart from.'),
    classifier: z.string().describe('Path of the layer that was drawn anew.'),
    features: z.int().describe('How many it reads.'),
    sparsity: z.number().describe('Share of zeros in the prunable weights.'),
  }),
});

export { method as contrastiveMethod };

export type ContrastiveOptions = OptionsOf<typeof method>;

/**
 * Trains the encoder of a copy of `model`: what stands before its last convolution or linear layer. That layer
 * comes back with fresh weights, to be trained on labels with `train.supervised`.
 *
 * @returns the model with a trained encoder; the training curve in the report
 * @throws ERR_MODEL_UNSUPPORTED for a frozen model, or one without such a layer; ERR_DATA_INVALID for samples
 *   that are no images, or fewer than a batch; ERR_OUT_OF_RANGE for an augmentation that changes nothing
 */
export function contrastive(model: Model, options: ContrastiveOptions) {
  return method.start({ model }, options);
}
