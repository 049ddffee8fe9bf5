import * as z from 'zod';
import type { Model } from '../model.js';
import { handle, oneOrList } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';
import { sparsityFigures } from '../schema/sparsity.js';
import { precisionOption } from '../schema/training.js';

const count = (least: number, most: number) => z.int().min(least).max(most);
const weight = z.union([z.literal('auto'), z.number().min(0)]).default('auto');

const simulated = z.strictObject({
  horizon: count(1, 1000000)
    .default(60)
    .meta({ unit: 'steps' })
    .describe('How long he trains before he starts again from the model as it is.'),
  weight: z.number().min(0).default(1).describe('Of the push against his gradient.'),
  lossCap: z
    .number()
    .gt(0)
    .default(4)
    .meta({ unit: 'nats' })
    .describe('Loss of his above which nothing is pushed.'),
  sourceGate: z
    .number()
    .gt(0)
    .default(0.2)
    .meta({ unit: 'nats' })
    .describe('Mean source loss at which the push stops; it is full below half of that.'),
  learningRate: z.number().gt(0).default(1e-3).describe('Of his Adam.'),
  freshHeadEvery: count(0, 1000000)
    .default(2)
    .describe('Every so many starts he begins with a fresh head; 0: never.'),
});

const options = z.strictObject({
  source: handle('Domain').describe(
    'Where the model keeps working: trains on its fit data, decides on its select data.',
  ),
  target: oneOrList('Domain').describe(
    'Where it must not be of use, labelled: its fit data is trained against.',
  ),
  preset: z
    .enum(['espalier', 'paper'])
    .default('espalier')
    .describe("Values of the options that are left out: our own, or those of the official code ('paper')."),
  sparsity: z.number().min(0).lt(1).default(0.95).describe("Share of the encoder's weights to prune."),
  split: z
    .string()
    .optional()
    .describe(
      'Path of the last layer of the encoder; by default it ends before the last pooling and flattening.',
    ),
  prunable: z
    .enum(['weights', 'all'])
    .default('weights')
    .describe(
      'What of the encoder is pruned: weights of convolutions and linear layers, or biases and norms too.',
    ),
  loss: z
    .enum(['ntp', 'ntl'])
    .default('ntp')
    .describe("The target's terms: NTP's own, or those of non-transferable learning, its baseline."),
  attacker: z
    .enum(['none', 'simulated'])
    .default('simulated')
    .describe(
      'Whether a simulated attacker fine-tunes a copy meanwhile, against whom the encoder is trained.',
    ),
  simulated: simulated.prefault({}).describe('The simulated attacker.'),
  alphaTarget: weight.describe(
    "Weight of the target's loss; 'auto': 0 with a simulated attacker, else 0.1, with loss 'ntl' 1.",
  ),
  lambdaFisher: weight.describe(
    "Weight of the Fisher ratio of the target's classes, times classes / 10; 'auto': 0 with a simulated attacker or loss 'ntl', else 100.",
  ),
  targetLossCap: z
    .union([z.literal('auto'), z.number().gt(0)])
    .default('auto')
    .meta({ unit: 'nats' })
    .describe("Above it the target's loss counts no more; 'auto': 10, with loss 'ntl' 3."),
  targetHead: z
    .strictObject({
      steps: count(0, 10000000).default(300).meta({ unit: 'steps' }).describe('Before protection starts.'),
      refreshSteps: count(0, 10000000)
        .default(20)
        .meta({ unit: 'steps' })
        .describe('At the start of each iteration.'),
      learningRate: z.number().gt(0).default(1e-3).describe('Of its Adam.'),
      weightDecay: z.number().min(0).default(8e-4).describe('Of its Adam.'),
    })
    .prefault({})
    .describe("The head that reads the encoder for the target; trained where the target's loss counts."),
  zUpdate: z
    .enum(['cardinality', 'l1'])
    .default('cardinality')
    .describe(
      'How ADMM makes weights sparse: the largest by number, by a cubic schedule, or a soft threshold.',
    ),
  penalty: z
    .enum(['squared', 'norm'])
    .default('squared')
    .describe('What ADMM puts on W - Z + U: its squared norm, or a sum of norms as the official code does.'),
  rho: z.number().min(0).default(0.05).describe('Weight of that penalty.'),
  l1: z
    .number()
    .min(0)
    .default(1e-4)
    .describe("Weight of the L1 norm with zUpdate 'l1'; the threshold is l1 / rho."),
  iterations: count(1, 1000000).default(20).describe('Updates of the mask.'),
  stepsPerIteration: count(1, 10000000).default(50).meta({ unit: 'steps' }).describe('Between them.'),
  epochsPerIteration: count(1, 100000)
    .optional()
    .meta({ unit: 'epochs' })
    .describe('In place of that: passes over the smallest of the fit data.'),
  polishSteps: count(0, 10000000)
    .default(500)
    .meta({ unit: 'steps' })
    .describe('Under the final mask, the terms kept on, with a rate that falls to a tenth.'),
  batchSize: count(2, 1048576)
    .default(64)
    .meta({ unit: 'samples' })
    .describe('Of the source, and of each target.'),
  learningRate: z.number().gt(0).default(1e-3).describe('Of Adam on the encoder.'),
  weightDecay: z.number().min(0).default(8e-4).describe('Of Adam on the encoder.'),
  dataFraction: z.number().gt(0).max(1).default(1).describe('Share of the fit data that is used.'),
  sourceFloor: z
    .number()
    .min(0)
    .max(1)
    .default(0.02)
    .describe('Source accuracy that may be lost on select data; beyond, an earlier iterate is returned.'),
  refreshBatches: count(0, 100000)
    .default(40)
    .meta({ unit: 'batches' })
    .describe('Of the source, over which the statistics of batch norms are taken at the end.'),
  strength: z
    .enum(['fixed', 'auto'])
    .default('fixed')
    .describe("'auto': tries factors on the protecting terms for the largest that keeps the floor."),
  search: z
    .strictObject({
      budget: count(1, 100000000)
        .default(8000)
        .meta({ unit: 'steps' })
        .describe('Of all trials together, attacks included.'),
      attackSamples: count(1, 100000000)
        .default(1000)
        .meta({ unit: 'samples' })
        .describe('Of the target, for the attack that measures a trial.'),
      attackSteps: count(1, 10000000).default(150).meta({ unit: 'steps' }).describe('Of that attack.'),
    })
    .prefault({})
    .describe("How strength 'auto' searches."),
  precision: precisionOption,
});

const terms = {
  targetLoss: z.number().nullable().describe("Of the target's head; null where it is off."),
  fisherRatio: z.number().nullable().describe("Of the target's features; null where it is off."),
  discrepancy: z.number().nullable().describe("Between source and target; null but with loss 'ntl'."),
  attackerLoss: z.number().nullable().describe('Of the simulated attacker; null without.'),
  gate: z.number().nullable().describe('How far the push was open, 0 to 1; null without an attacker.'),
};

const report = z.strictObject({
  cutAt: z.string().describe('The operator that reads the features.'),
  weights: z
    .strictObject({
      alphaTarget: z.number().describe("Of the target's loss."),
      lambdaFisher: z.number().describe('Of the Fisher ratio.'),
      targetLossCap: z.number().describe("Of the target's loss, nats."),
      attacker: z.number().describe('Of the push against the attacker.'),
    })
    .describe('As used.'),
  ...sparsityFigures.shape,
  source: z
    .strictObject({
      before: z.number().describe('Accuracy of the model that was given.'),
      after: z.number().describe('Accuracy of the one that is returned.'),
      floor: z.number().describe('Least that was asked for.'),
      held: z.boolean().describe('Whether it holds.'),
      restoredStep: z.int().describe('Step of the polish whose weights are returned.'),
    })
    .describe('On select data.'),
  targets: z
    .array(
      z.strictObject({
        domain: z.string().describe('Its name.'),
        before: z
          .number()
          .nullable()
          .describe('Accuracy without any training there; null without select data.'),
        after: z.number().nullable().describe('The same of the protected model.'),
        fisherBefore: z.number().describe('Fisher ratio of features on fit data.'),
        fisherAfter: z.number().describe('The same of the protected model.'),
      }),
    )
    .describe('On select data, in the order given.'),
  iterations: z
    .array(
      z.strictObject({
        iteration: z.int().describe('From 1.'),
        step: z.int().describe('Done by then.'),
        sourceLoss: z.number().describe('Mean of the iteration.'),
        sourceAccuracy: z.number().describe('On its batches, while training.'),
        ...terms,
        penalty: z.number().describe("ADMM's, mean of the iteration."),
        sparsity: z.number().describe('Of the mask.'),
        primalResidual: z.number().describe('||W - Z|| / ||W||.'),
        dualResidual: z.number().describe('||Z - Z before|| / ||Z||.'),
      }),
    )
    .describe('One entry an update of the mask.'),
  polish: z
    .array(
      z.strictObject({
        step: z.int().describe('Of the polish.'),
        sourceLoss: z.number().describe('Mean since the last entry.'),
        ...terms,
        sourceAccuracy: z.number().describe('On select data.'),
        holdsFloor: z.boolean().describe('Whether that holds the floor.'),
      }),
    )
    .describe('Readings under the final mask.'),
  attackerRestarts: z.int().describe('How often the simulated attacker started.'),
  steps: z.int().describe('Updates of the encoder.'),
  frontier: z
    .array(
      z.strictObject({
        strength: z.number().describe('Factor on the protecting terms.'),
        sourceAccuracy: z.number().describe('On select data.'),
        holdsFloor: z.boolean().describe('Whether that holds the floor.'),
        attackedAccuracy: z.number().describe('Of the short attack, on select data of the first target.'),
        chosen: z.boolean().describe('Whether it is the one that is returned.'),
      }),
    )
    .describe("The trials of strength 'auto'."),
});

const method = defineMethod({
  name: 'authorize.nonTransferablePruning',
  summary:
    'Prunes a model so that it works on the source domain and hinders whoever fine-tunes it elsewhere.',
  source: 'Ding et al. 2024, Non-transferable Pruning (arXiv 2410.08015); the simulated attacker is ours',
  inputs: { model: handle('Model').describe('A classifier trained on the source.') },
  options,
  outputs: { model: 'Model', mask: 'Mask' },
  report,
  presets: {
    paper: {
      attacker: 'none',
      alphaTarget: 1,
      lambdaFisher: 1000,
      prunable: 'all',
      zUpdate: 'l1',
      penalty: 'norm',
      rho: 0.005,
      iterations: 100,
      epochsPerIteration: 20,
      polishSteps: 0,
      batchSize: 256,
      dataFraction: 0.1,
      targetHead: { steps: 210, refreshSteps: 0 },
    } as never,
  },
});

export { method as nonTransferablePruningMethod };

export type NonTransferablePruningOptions = OptionsOf<typeof method>;

/**
 * Prunes a copy of `model` so that it keeps its accuracy on the source and is of little use elsewhere, also to
 * whoever fine-tunes it on a target.
 *
 * It multiplies an attacker's cost and erases nothing: measure it with evaluate.authorization.
 *
 * @returns the protected model, saved with a public manifest by default, and its mask
 * @throws ERR_MODEL_UNSUPPORTED for a frozen model or one without a place to split it at, ERR_DATA_INVALID where
 *   source equals target, class counts differ or a class is empty, ERR_TARGET_UNREACHABLE for a sparsity that
 *   cannot be reached, ERR_DIVERGED when a loss or gradient is not finite
 */
export function nonTransferablePruning(model: Model, options: NonTransferablePruningOptions) {
  return method.start({ model }, options);
}
