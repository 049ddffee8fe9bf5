import * as assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import path from 'node:path';
import { attack, authorize, isEspalierError, Key, Mask, Model, prune, type Tensor } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, logitsOf, smallNet, zerosOf } from './support.js';

const folder = temporaryFolder();
const code = (expected: string) => (error: unknown) => isEspalierError(error) && error.code === expected;
const input: Tensor = {
  data: Float32Array.from({ length: 64 }, (_, i) => i / 64),
  shape: [1, 1, 8, 8],
};
const digestOf = async (model: Model) => (await model.inspect()).digest;
const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);

test('a mask locks a model, and its key opens it: the same weights, the same logits', async () => {
  const model = await smallNet();
  const { model: pruned, mask } = await prune.magnitude(model, { sparsity: 0.6 });
  assert.equal(mask.dense, await digestOf(model));
  const { model: locked, key, report } = await authorize.applyMask(model, mask);
  assert.equal(await digestOf(locked), await digestOf(pruned));
  assert.equal(report.figures.masked, await digestOf(locked));
  assert.equal(report.figures.cut, mask.weights - mask.kept);
  assert.equal(report.figures.cut, key.weights);
  assert.equal(report.figures.share, report.figures.cut / mask.weights);
  assert.notDeepEqual((await logitsOf(locked, input)).data, (await logitsOf(model, input)).data);

  const { model: open, report: opening } = await authorize.removeMask(locked, key);
  assert.equal(await digestOf(open), await digestOf(model));
  assert.equal(opening.figures.restored, key.weights);
  assert.deepEqual((await logitsOf(open, input)).data, (await logitsOf(model, input)).data);
  const { manifest } = await open.inspect();
  assert.equal('pruned' in (manifest as object), false);
});

test('several masks are intersected in one call, and a second call is refused', async () => {
  const model = await smallNet();
  const masks: Mask[] = [];
  for (const include of ['blocks.0.*', 'blocks.1.*']) {
    const { mask } = await prune.magnitude(model, { sparsity: 0.5, include: [include] });
    masks.push(mask);
  }
  const { mask: both } = await prune.magnitude(model, { sparsity: 0.3, include: ['blocks.0.*'] });
  const { model: locked, key, report } = await authorize.applyMask(model, [...masks, both]);
  const expected = await Promise.all(masks.map((mask) => authorize.applyMask(model, mask)));
  const alone = await Promise.all(
    expected.map(async ({ model: each }) => sum((await zerosOf(each)).values())),
  );
  // The smallest 30 % of a layer are among its smallest 50 %.
  assert.equal(sum((await zerosOf(locked)).values()), sum(alone));
  assert.equal(report.figures.masks, 3);
  assert.equal(await digestOf((await authorize.removeMask(locked, key)).model), await digestOf(model));
  await assert.rejects(
    async () => await authorize.applyMask(locked, masks[0] as Mask),
    /made for another .* several masks are applied in one call/,
  );
});

test('masks and keys of other models are refused, and a model that was trained since', async () => {
  const model = await smallNet();
  const other = await smallNet(4, 2);
  const { mask } = await prune.magnitude(model, { sparsity: 0.5 });
  await assert.rejects(async () => await authorize.applyMask(other, mask), code('ERR_OUT_OF_RANGE'));
  await assert.rejects(async () => await authorize.applyMask(model, []), code('ERR_OUT_OF_RANGE'));
  const { model: locked, key } = await authorize.applyMask(model, mask);
  await assert.rejects(async () => await authorize.removeMask(model, key), code('ERR_OUT_OF_RANGE'));
  const domain = await brightness();
  const { model: trained } = await attack.fineTune(locked, { domain, steps: 2 });
  await assert.rejects(async () => await authorize.removeMask(trained, key), /not trained or pruned since/);
  const larger = await Model.create('convnet', {
    classes: 4,
    inChannels: 1,
    inputSize: 8,
    widths: [4, 8],
    seed: 1,
  });
  const free = await Mask.of(locked);
  assert.equal(free.dense, null);
  await assert.rejects(async () => await authorize.applyMask(larger, free), code('ERR_OUT_OF_RANGE'));
  // A mask that was made for no one model fits every one of its shapes.
  const { key: second } = await authorize.applyMask(other, free);
  assert.equal(second.weights, key.weights);
  await assert.rejects(async () => await authorize.removeMask(locked, second), code('ERR_OUT_OF_RANGE'));
});

test('a mask that was trained along is bound to no model', async () => {
  const domain = await brightness();
  const { mask } = await prune.magnitude(await smallNet(), {
    sparsity: 0.5,
    domain,
    fineTune: { epochs: 1 },
  });
  assert.equal(mask.dense, null);
});

test('files: mask, key and model go through theirs; the key is its owner alone', async () => {
  const model = await smallNet();
  const { mask } = await prune.magnitude(model, { sparsity: 0.5 });
  const file = (name: string) => path.join(folder, name);
  await mask.save(file('half.mask'));
  const loaded = await Mask.load(file('half.mask'));
  assert.deepEqual([loaded.dense, loaded.digest], [mask.dense, mask.digest]);
  const { model: locked, key } = await authorize.applyMask(model, loaded);
  await locked.save(file('locked.pt'));
  await key.save(file('locked.key'));
  assert.equal(statSync(file('locked.key')).mode & 0o777, 0o600);
  const again = await Key.load(file('locked.key'));
  assert.deepEqual([again.digest, again.masked, again.weights], [key.digest, key.masked, key.weights]);
  const { model: open } = await authorize.removeMask(await Model.load(file('locked.pt')), again);
  assert.equal(await digestOf(open), await digestOf(model));
  await assert.rejects(async () => await Key.load(file('half.mask')), code('ERR_DATA_INVALID'));
  await assert.rejects(async () => await Mask.load(file('locked.key')), code('ERR_DATA_INVALID'));
});

test.run();
