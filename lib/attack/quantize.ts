import * as z from 'zod';
import type { Model } from '../model.js';
import { answers, attackFigures } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// Weights rounded to few bits, as whoever makes a model small would: does what protects it live in their last
// digits? Simulated: the rounded weights stay floats. Jacob et al. 2018, symmetric, per tensor or per channel.
const method = defineMethod({
  name: 'attack.quantize',
  summary: 'Rounds the weights of a model to few bits.',
  source: 'Jacob et al. 2018, arXiv 1712.05877 (simulated quantisation)',
  inputs: { model: handle('Model').describe('The model to attack.') },
  options: z.strictObject({
    domain: handle('Domain').describe('Measured on its report data; no other is read.'),
    bits: z
      .array(z.int().min(2).max(16))
      .default([8, 5, 4])
      .describe('Of a weight, its sign included, each from the given model; the fewest are returned.'),
    granularity: z
      .enum(['tensor', 'channel'])
      .default('channel')
      .describe('What shares a scale: a weight tensor, or one output channel of it.'),
  }),
  outputs: { model: 'Model' },
  report: attackFigures.extend({
    rows: z
      .array(
        z.strictObject({
          bits: z.int().describe('Of a weight.'),
          error: z.number().describe('Mean squared error of the weights over their mean square.'),
          weights: z.int().describe('That were rounded.'),
          zeros: z.int().describe('Among them afterwards.'),
          after: answers.describe('On report data.'),
        }),
      )
      .describe('One entry a number of bits, descending.'),
  }),
});

export { method as quantizeMethod };

export type QuantizeOptions = OptionsOf<typeof method>;

/**
 * Rounds the weights of copies of `model`, one a number of bits; biases and norms stay. The copy of the fewest
 * bits is returned, its weights floats on the grid.
 *
 * @throws ERR_MODEL_UNSUPPORTED for weights that are not finite, a frozen model or one without anything to round,
 *   ERR_DATA_INVALID for a domain without report data or of other classes than the model
 */
export function quantize(model: Model, options: QuantizeOptions) {
  return method.start({ model }, options);
}
