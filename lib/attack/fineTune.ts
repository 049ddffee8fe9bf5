import * as z from 'zod';
import type { Model } from '../model.js';
import {
  answers,
  attackSamples,
  attackStart,
  attackTraining,
  trainedAttackFigures,
} from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// Fine-tuning on labelled samples of another domain: the first thing that somebody does who holds a model.
// Defaults: the protocol of evaluate.sampleWiseLearningCurve.
const method = defineMethod({
  name: 'attack.fineTune',
  summary: 'Fine-tunes a model on a domain, as somebody would who holds it.',
  source: 'Ding et al. 2024, arXiv 2410.08015 (attack protocol)',
  inputs: { model: handle('Model').describe('The model to attack.') },
  options: attackSamples.extend({
    ...attackTraining,
    ...attackStart,
    checkpoints: z
      .array(z.int().min(1).max(10000000))
      .default([])
      .describe('Numbers of steps after which the accuracy is measured too.'),
  }),
  outputs: { model: 'Model' },
  report: trainedAttackFigures.extend({
    checkpoints: z
      .array(
        z.strictObject({
          steps: z.int().describe('Of the fine-tuning so far.'),
          accuracy: answers.describe('On report data then.'),
        }),
      )
      .describe('Along the way and at the end; empty where none were asked for.'),
  }),
});

export { method as fineTuneMethod };

export type FineTuneOptions = OptionsOf<typeof method>;

/**
 * Fine-tunes a copy of `model` on a domain.
 *
 * @throws ERR_DATA_INVALID for a domain that lacks a role or has other classes than the model, ERR_OUT_OF_RANGE
 *   for more samples than there are, ERR_MODEL_UNSUPPORTED for a frozen model
 */
export function fineTune(model: Model, options: FineTuneOptions) {
  return method.start({ model }, options);
}
