import * as z from 'zod';
import type { Key } from '../key.js';
import type { Model } from '../model.js';
import { handle } from '../schema/handle.js';
import { defineMethod, type OptionsOf } from '../schema/method.js';

const method = defineMethod({
  name: 'authorize.removeMask',
  summary: 'Opens a model that was locked with masks: its weights come back bit for bit.',
  source: 'our own',
  inputs: {
    model: handle('Model').describe('What authorize.applyMask returned, unchanged.'),
    key: handle('Key').describe('The key that came with it.'),
  },
  options: z.strictObject({}),
  outputs: { model: 'Model' },
  report: z.strictObject({
    restored: z.int().describe('Weights that came back.'),
    dense: z.string().describe('Digest of the returned model: that of before the lock.'),
  }),
});

export { method as removeMaskMethod };

export type RemoveMaskOptions = OptionsOf<typeof method>;

/**
 * Restores a copy of `model` with its key.
 *
 * @throws ERR_OUT_OF_RANGE for a model that the key was not made with, or that was changed since;
 *   ERR_DATA_INVALID for a damaged key
 */
export function removeMask(model: Model, key: Key, options: RemoveMaskOptions = {}) {
  return method.start({ model, key }, options);
}
