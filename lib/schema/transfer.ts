import * as z from 'zod';

/** How somebody who holds a model trains it on a domain of his own. */
export const transferOptions = z.strictObject({
  steps: z
    .int()
    .min(1)
    .max(10000000)
    .default(150)
    .meta({ unit: 'steps' })
    .describe('Updates of the weights in each training.'),
  batchSize: z
    .int()
    .min(1)
    .max(1048576)
    .default(32)
    .meta({ unit: 'samples' })
    .describe('Samples of one step; all of them where there are fewer.'),
  optimizer: z.enum(['adam', 'sgd']).default('adam').describe('Update rule.'),
  learningRates: z
    .array(z.number().gt(0))
    .default([1e-3])
    .describe('Constant learning rates to try; of several the best on select data is taken.'),
  weightDecay: z.number().min(0).default(0).describe('L2 penalty on the weights.'),
  momentum: z.number().min(0).lt(1).default(0.9).describe('Momentum of SGD.'),
  maskHeld: z
    .boolean()
    .default(true)
    .describe('Whether zero weights of the model stay zero; false: the attacker lifts the mask.'),
  head: z
    .enum(['keep', 'fresh'])
    .default('keep')
    .describe("The last layer with parameters: as it is, or from PyTorch's default initialisation."),
  batchNorm: z
    .enum(['keep', 'fresh'])
    .default('keep')
    .describe('Batch norms: as they are, or scale 1, shift 0 and running statistics 0 and 1.'),
  layers: z.enum(['all', 'head']).default('all').describe('What is trained.'),
});
