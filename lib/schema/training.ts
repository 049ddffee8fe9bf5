import * as z from 'zod';

/** How the weights follow their gradients. */
export const optimizerOptions = z.strictObject({
  kind: z
    .enum(['sgd', 'adam', 'adamw'])
    .default('sgd')
    .describe('Update rule: SGD with momentum, Adam, or Adam with decoupled weight decay.'),
  learningRate: z.number().gt(0).default(0.05).describe('Largest learning rate; the schedule scales it.'),
  momentum: z.number().min(0).lt(1).default(0.9).describe('Momentum of SGD.'),
  nesterov: z.boolean().default(true).describe("Whether SGD looks ahead (Nesterov's momentum)."),
  beta1: z.number().min(0).lt(1).default(0.9).describe('Decay of the first moment of Adam.'),
  beta2: z.number().min(0).lt(1).default(0.999).describe('Decay of the second moment of Adam.'),
  epsilon: z.number().gt(0).default(1e-8).describe("Added to the root of Adam's second moment."),
  weightDecay: z
    .number()
    .min(0)
    .default(5e-4)
    .describe('Weight decay: L2 for sgd and adam, decoupled for adamw.'),
  clipNorm: z
    .number()
    .gt(0)
    .optional()
    .describe('Largest Euclidean norm of all gradients together; not clipped where it is not given.'),
});

/** The learning rate over a training. */
export const scheduleOptions = z.strictObject({
  kind: z
    .enum(['constant', 'step', 'cosine'])
    .default('cosine')
    .describe('How the learning rate falls after the warm-up.'),
  warmup: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('Share of the steps over which the rate rises linearly from zero.'),
  milestones: z
    .array(z.number().min(0).max(1))
    .default([0.5, 0.75])
    .describe("Shares of the steps at which a 'step' schedule falls."),
  gamma: z.number().gt(0).max(1).default(0.1).describe("Factor of a 'step' schedule at each milestone."),
  final: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("Share of the rate that a 'cosine' schedule ends with."),
});

/** Random changes of training images; every draw comes from the run's seed. */
export const augmentationOptions = z.strictObject({
  shift: z
    .int()
    .min(0)
    .max(64)
    .default(0)
    .meta({ unit: 'pixels' })
    .describe('Moves an image by up to that much, filled with zeros.'),
  flip: z.boolean().default(false).describe('Mirrors every other image left to right.'),
  rotation: z
    .number()
    .min(0)
    .max(180)
    .default(0)
    .meta({ unit: 'degrees' })
    .describe('Turns an image by up to that much either way.'),
  jitter: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('Changes brightness and contrast by up to that share.'),
  crop: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe('Least share of its area that is cut out of an image at random and resized to the whole.'),
});

/** How a teacher counts. */
export const distillationOptions = z.strictObject({
  weight: z
    .number()
    .min(0)
    .max(1)
    .default(0.9)
    .describe("Share of the teacher's term in the loss; the labels have the rest."),
  temperature: z.number().gt(0).default(4).describe('Softness of the outputs that are compared.'),
});

/** The loss of a classifier by name. */
export const lossOptions = {
  loss: z
    .enum(['auto', 'crossEntropy', 'softTargets', 'meanSquaredError'])
    .default('auto')
    .describe("What is minimised; 'auto': soft targets where there is a teacher, else cross-entropy."),
  labelSmoothing: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe('Share of each target of cross-entropy that is spread over all classes.'),
  distillation: distillationOptions.prefault({}).describe('How a teacher counts with soft targets.'),
};

/** Type of activations and gradients. */
export const precisionOption = z
  .enum(['float32', 'bfloat16', 'float16'])
  .default('float32')
  .describe('Type of activations and gradients; weights stay float32. float16 needs CUDA.');

/** Whether zeros are held. */
export const keepZerosOption = z
  .union([z.literal('auto'), z.boolean()])
  .default('auto')
  .describe("Whether zero weights stay zero; 'auto': where the manifest says that the model is pruned.");

/** The options of supervised training, for the methods that train. */
export const supervisedOptions = z.strictObject({
  epochs: z
    .int()
    .min(1)
    .max(100000)
    .default(10)
    .meta({ unit: 'epochs' })
    .describe('Passes over the fit data.'),
  batchSize: z
    .int()
    .min(1)
    .max(1048576)
    .default(128)
    .meta({ unit: 'samples' })
    .describe('Samples of one step.'),
  optimizer: optimizerOptions.prefault({}).describe('How the weights follow their gradients.'),
  schedule: scheduleOptions.prefault({}).describe('The learning rate over the training.'),
  augmentation: augmentationOptions.prefault({}).describe('Random changes of the images.'),
  ...lossOptions,
  precision: precisionOption,
  keepZeros: keepZerosOption,
  restoreBest: z
    .boolean()
    .default(false)
    .describe('Whether the weights of the best epoch on select data are returned, not the last.'),
});

/** The figures of a supervised training. */
export const supervisedFigures = z.strictObject({
  epochs: z
    .array(
      z.strictObject({
        epoch: z.int().describe('From 1.'),
        loss: z.number().describe('Mean training loss of the epoch.'),
        accuracy: z.number().describe("On the epoch's batches, while training."),
        learningRate: z.number().describe('At the last step.'),
        selectAccuracy: z.number().nullable().describe('On select data after the epoch; null without.'),
        selectLoss: z.number().nullable().describe('On select data after the epoch; null without.'),
      }),
    )
    .describe('One entry an epoch.'),
  steps: z.int().describe('Updates of the weights.'),
  finalLoss: z.number().describe('Of the last epoch.'),
  best: z
    .strictObject({
      epoch: z.int().describe('From 1.'),
      selectAccuracy: z.number().describe('Of that epoch.'),
    })
    .nullable()
    .describe('The best epoch on select data; null without.'),
  sparsity: z.number().describe('Share of zeros in the prunable weights.'),
});

/** What a cap on a loss that is pushed up holds for. */
export const capOverOption = z
  .enum(['sample', 'batch'])
  .default('sample')
  .describe(
    "Whether that cap holds for each sample's loss, or for the mean: then a few samples that are far off end the push for all.",
  );
