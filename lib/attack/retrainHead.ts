import * as z from 'zod';
import type { Model } from '../model.js';
import { attackSamples, attackStart, attackTraining, trainedAttackFigures } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// A fresh classifier on the model's features: the attack on protections that confuse only the head.
// Lukas et al. 2022 (SoK: How Robust is DNN Image Classification Watermarking?): RTLL; with layers 'all', RTAL.
const method = defineMethod({
  name: 'attack.retrainHead',
  summary: 'Trains a fresh classifier on the features of a model.',
  source: 'Lukas et al. 2022 (RTLL, RTAL)',
  inputs: { model: handle('Model').describe('The model to attack.') },
  options: attackSamples.extend({
    ...attackTraining,
    maskHeld: attackStart.maskHeld,
    layers: z
      .enum(['all', 'head'])
      .default('head')
      .describe('What is trained: the fresh head alone, or everything with it.'),
  }),
  outputs: { model: 'Model' },
  report: trainedAttackFigures,
});

export { method as retrainHeadMethod };

export type RetrainHeadOptions = OptionsOf<typeof method>;

/**
 * Gives a copy of `model` a fresh last layer and trains it on a domain.
 *
 * @throws as attack.fineTune
 */
export function retrainHead(model: Model, options: RetrainHeadOptions) {
  return method.start({ model }, options);
}
