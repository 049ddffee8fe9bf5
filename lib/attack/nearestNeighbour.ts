import * as z from 'zod';
import type { Model } from '../model.js';
import { attackFigures, attackSamples } from '../schema/attack.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// Nearest neighbours among labelled samples by the cosine of their features, the input of the classifier: no
// training at all. Where it does well a protection confuses only the classifier. Cover and Hart 1967.
const method = defineMethod({
  name: 'attack.nearestNeighbour',
  summary: 'Classifies by the nearest labelled samples in the feature space of a model.',
  source: 'Cover and Hart 1967',
  inputs: { model: handle('Model').describe('The model whose features are used.') },
  options: attackSamples.extend({
    neighbours: z.int().min(1).max(10000).default(5).describe('That vote, with equal weight.'),
  }),
  outputs: { model: 'Model' },
  report: attackFigures,
});

export { method as nearestNeighbourMethod };

export type NearestNeighbourOptions = OptionsOf<typeof method>;

/**
 * Measures what the features of `model` tell about a domain; the model comes back as it was.
 *
 * @throws as attack.fineTune
 */
export function nearestNeighbour(model: Model, options: NearestNeighbourOptions) {
  return method.start({ model }, options);
}
