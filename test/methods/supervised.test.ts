import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { isEspalierError, type Model, prune, train } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, smallNet, zerosOf } from './support.js';

const fast = { epochs: 8, batchSize: 16, optimizer: { learningRate: 0.1 } } as const;
const folder = temporaryFolder();

async function bytesOf(model: Model): Promise<string> {
  const file = path.join(folder, 'bytes.pt');
  await model.save(file, { manifest: 'none' });
  return fs.readFileSync(file).toString('base64');
}

test('learns, and leaves the given model as it was', async () => {
  const model = await smallNet();
  const before = await bytesOf(model);
  const { model: trained, report } = await train.supervised(model, { domain: await brightness(), ...fast });
  assert.equal(await bytesOf(model), before);
  assert.notEqual(await bytesOf(trained), before);
  const last = report.figures.epochs.at(-1);
  assert.ok(last !== undefined && (last.selectAccuracy ?? 0) > 0.9, JSON.stringify(report.figures.epochs));
});

test('the same seed gives the same bytes, another one does not', async () => {
  const domain = await brightness();
  const once = async (seed: number) =>
    await bytesOf((await train.supervised(await smallNet(), { domain, ...fast, seed, threads: 1 })).model);
  assert.equal(await once(3), await once(3));
  assert.notEqual(await once(3), await once(4));
});

test('a pruned model keeps exactly its zeros; keepZeros: false lets them go', async () => {
  const domain = await brightness();
  const { model } = await prune.magnitude(await smallNet(), { sparsity: 0.7 });
  const before = await zerosOf(model);
  for (const kind of ['sgd', 'adam', 'adamw'] as const) {
    const optimizer = { kind, learningRate: 0.02 };
    const kept = await train.supervised(model, { domain, ...fast, optimizer });
    assert.deepEqual(await zerosOf(kept.model), before, kind);
    const freed = await train.supervised(model, { domain, ...fast, optimizer, keepZeros: false });
    const after = await zerosOf(freed.model);
    assert.ok(
      [...after.values()].reduce((a, b) => a + b) < [...before.values()].reduce((a, b) => a + b),
      kind,
    );
  }
});

test('restoreBest returns the best epoch on select data', async () => {
  const domain = await brightness();
  const { report } = await train.supervised(await smallNet(), {
    domain,
    epochs: 6,
    batchSize: 16,
    optimizer: { learningRate: 0.1 },
    restoreBest: true,
  });
  const best = Math.max(...report.figures.epochs.map(({ selectAccuracy }) => selectAccuracy ?? 0));
  assert.equal(report.figures.best?.selectAccuracy, best);
});

test('a teacher is learned from', async () => {
  const domain = await brightness();
  const { model: teacher } = await train.supervised(await smallNet(), { domain, ...fast });
  const { report } = await train.supervised(await smallNet(4, 9), {
    domain,
    ...fast,
    teacher,
    distillation: { weight: 1, temperature: 2 },
  });
  assert.ok((report.figures.epochs.at(-1)?.selectAccuracy ?? 0) > 0.9);
});

test('bfloat16 trains, float16 without CUDA is refused', async () => {
  const domain = await brightness();
  const { report } = await train.supervised(await smallNet(), { domain, ...fast, precision: 'bfloat16' });
  assert.ok((report.figures.epochs.at(-1)?.selectAccuracy ?? 0) > 0.8);
  await assert.rejects(
    async () => await train.supervised(await smallNet(), { domain, ...fast, precision: 'float16' }),
    (error) => isEspalierError(error) && error.code === 'ERR_DEVICE_UNAVAILABLE',
  );
});

test('a learning rate that is far too high is ERR_DIVERGED with step and layer', async () => {
  const domain = await brightness();
  await assert.rejects(
    async () =>
      await train.supervised(await smallNet(), {
        domain,
        ...fast,
        optimizer: { learningRate: 1e30, momentum: 0, nesterov: false },
      }),
    (error) => {
      assert.ok(isEspalierError(error));
      assert.equal(error.code, 'ERR_DIVERGED');
      assert.equal(typeof (error.details as { step: number }).step, 'number');
      return true;
    },
  );
});

test('too many classes, no fit data, unknown options: a sentence each', async () => {
  const domain = await brightness(240, 6);
  await assert.rejects(
    async () => await train.supervised(await smallNet(4), { domain, ...fast }),
    /at most the 4/,
  );
  await assert.rejects(
    async () => await train.supervised(await smallNet(), { domain, epoch: 3 } as never),
    /did you mean 'epochs'/,
  );
  await assert.rejects(
    async () => await train.supervised(await smallNet(), { domain, epochs: 0 }),
    /expected a whole number >= 1 and <= 100000 for epochs, received 0/,
  );
});

test.run();
