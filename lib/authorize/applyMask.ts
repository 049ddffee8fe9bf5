import * as z from 'zod';
import type { Mask } from '../mask.js';
import type { Model } from '../model.js';
import { handle, oneOrList } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

// Masks as a lock: what they do not keep is cut out and goes into a key. Pruning for a domain: Peng et al., CVPR
// 2024; the key is ours.
const method = defineMethod({
  name: 'authorize.applyMask',
  summary: 'Cuts what masks do not keep out of a model, into a key that can put it back.',
  source: 'Peng et al. 2024, arXiv 2403.04149 (masks that bind a model); the key is our own',
  inputs: {
    model: handle('Model').describe('The dense model.'),
    mask: oneOrList('Mask').describe('What to keep; several are intersected.'),
  },
  options: z.strictObject({}),
  outputs: { model: 'Model', key: 'Key' },
  report: z.strictObject({
    masks: z.int().describe('How many were applied together.'),
    weights: z.int().describe('That the masks speak of.'),
    cut: z.int().describe('Those cut out.'),
    share: z.number().describe('Of the weights that the masks speak of.'),
    layers: z
      .array(
        z.strictObject({
          path: z.string().describe('Of the weight.'),
          weights: z.int().describe('How many it has.'),
          cut: z.int().describe('How many were cut out.'),
        }),
      )
      .describe('One entry a weight tensor.'),
    dense: z.string().describe('Digest of the given model.'),
    masked: z.string().describe('Digest of the returned one, which the key fits.'),
  }),
});

export { method as applyMaskMethod };

export type ApplyMaskOptions = OptionsOf<typeof method>;

/**
 * Locks a copy of `model`: returns it with what the masks do not keep at zero, and the key that holds those values
 * bit for bit. Several masks must be given in one call: each was made for the dense model.
 *
 * @throws ERR_OUT_OF_RANGE for a mask of another model, or for none; ERR_MODEL_UNSUPPORTED for a frozen model
 */
export function applyMask(model: Model, mask: Mask | Mask[], options: ApplyMaskOptions = {}) {
  return method.start({ model, mask }, options);
}
