import * as z from 'zod';
import type { Model } from '../model.js';
import { attackSamples, attackStart, attackTraining, trainedAttackFigures } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// An innocent repair first, a little training on the authorised domain; then the transfer. Asks whether a barrier
// survives a buyer who only freshens the model up.
const method = defineMethod({
  name: 'attack.sourceRepair',
  summary: 'Fine-tunes a model on a little authorised data, then on another domain.',
  source: 'ours',
  inputs: { model: handle('Model').describe('The model to attack.') },
  options: attackSamples.extend({
    source: handle('Domain').describe('The authorised domain; its fit data is trained on first.'),
    sourceFraction: z.number().gt(0).max(1).default(0.05).describe('Share of that fit data, rounded down.'),
    repairSteps: z
      .int()
      .min(1)
      .max(10000000)
      .default(150)
      .meta({ unit: 'steps' })
      .describe('Updates of the weights on it.'),
    ...attackTraining,
    ...attackStart,
  }),
  outputs: { model: 'Model' },
  report: trainedAttackFigures.extend({
    sourceSamples: z.int().describe('Of the authorised domain that were used.'),
  }),
});

export { method as sourceRepairMethod };

export type SourceRepairOptions = OptionsOf<typeof method>;

/**
 * Trains a copy of `model` on a part of its own domain, then on the attacked one.
 *
 * @throws as attack.fineTune
 */
export function sourceRepair(model: Model, options: SourceRepairOptions) {
  return method.start({ model }, options);
}
