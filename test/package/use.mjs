import assert from 'node:assert/strict';
import { Model } from 'espalier';

const model = await Model.create('lenet5', { classes: 10, inChannels: 1, seed: 1 });
const logits = await model.forward([{ data: new Float32Array(2 * 32 * 32), shape: [2, 1, 32, 32] }]);
assert.deepEqual(logits.shape, [2, 10]);
assert.ok(logits.data.every(Number.isFinite));
await model.dispose();
