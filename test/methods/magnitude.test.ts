import * as assert from 'node:assert/strict';
import path from 'node:path';
import fc from 'fast-check';
import { evaluate, isEspalierError, Mask, Model, prune } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, smallNet, zerosOf } from './support.js';

const folder = temporaryFolder();
const code = (expected: string) => (error: unknown) => isEspalierError(error) && error.code === expected;

test('prunes exactly round(n x sparsity) weights, in the model and in its file', async () => {
  const model = await smallNet();
  const weights = model.layers
    .filter(({ prunable }) => prunable)
    .reduce((sum, { weightShape }) => sum + weightShape.reduce((a, b) => a * b), 0);
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 0, max: 1, noNaN: true }), async (sparsity) => {
      const { model: pruned, report } = await prune.magnitude(model, { sparsity });
      assert.equal(report.figures.totals.zeros, Math.round(weights * sparsity));
      const file = path.join(folder, 'pruned.pt');
      await pruned.save(file);
      const loaded = await zerosOf(await Model.load(file));
      const zeros = report.figures.layers.reduce((sum, layer) => sum + (loaded.get(layer.path) ?? 0), 0);
      assert.equal(zeros, report.figures.totals.zeros);
    }),
    { numRuns: 25, seed: 1 },
  );
});

test('layer scope, floors and ceilings', async () => {
  const model = await smallNet();
  const { report } = await prune.magnitude(model, { sparsity: 0.5, scope: 'layer' });
  for (const layer of report.figures.layers) assert.equal(layer.zeros, Math.round(layer.weights * 0.5));
  const bounded = await prune.magnitude(model, { sparsity: 0.8, layerFloor: 0.7, layerCeiling: 0.85 });
  for (const { sparsity } of bounded.report.figures.layers) assert.ok(sparsity >= 0.7 && sparsity <= 0.85);
  await assert.rejects(
    async () => await prune.magnitude(model, { sparsity: 0.5, layerFloor: 0.6 }),
    code('ERR_TARGET_UNREACHABLE'),
  );
  await assert.rejects(
    async () => await prune.magnitude(model, { sparsity: 0.5, layerFloor: 0.6, layerCeiling: 0.4 }),
    code('ERR_TARGET_UNREACHABLE'),
  );
});

test('channels: whole rows, counted in channels, the classifier left alone', async () => {
  const { report, mask } = await prune.magnitude(await smallNet(), { sparsity: 0.5, structure: 'channel' });
  assert.deepEqual(
    report.figures.layers.map(({ path }) => path),
    ['blocks.0.conv.weight', 'blocks.1.conv.weight'],
  );
  assert.equal(report.figures.stages[0]?.sparsity, 0.5);
  for (const { weights, zeros, path } of report.figures.layers) {
    const channel = path.includes('.0.') ? weights / 6 : weights / 8;
    assert.equal(zeros % channel, 0);
  }
  assert.equal(mask.weights - mask.kept, report.figures.totals.zeros);
});

test('the mask is the pattern of the model, and survives its file', async () => {
  const { model, mask } = await prune.magnitude(await smallNet(), { sparsity: 0.75 });
  const file = path.join(folder, 'mask.safetensors');
  await mask.save(file);
  assert.equal((await Mask.load(file)).digest, mask.digest);
  assert.equal((await Mask.of(model)).digest, mask.digest);
  assert.ok(Math.abs(mask.sparsity - 0.75) < 1e-2);
});

test('n of m: exactly n in each group, and no sparsity beside it', async () => {
  const model = await smallNet();
  const options = { structure: { n: 1, m: 2 }, include: ['blocks.1.conv.weight'] };
  const { report } = await prune.magnitude(model, options);
  assert.equal(report.figures.sparsity, 0.5);
  await assert.rejects(async () => await prune.magnitude(model, { ...options, sparsity: 0.5 }), TypeError);
  await assert.rejects(
    async () => await prune.magnitude(model, { structure: { n: 2, m: 5 }, include: options.include }),
    code('ERR_TARGET_UNREACHABLE'),
  );
  await assert.rejects(async () => await prune.magnitude(model, {}), TypeError);
});

test('include and exclude by pattern; a pattern that fits nothing is an error', async () => {
  const model = await smallNet();
  const { report } = await prune.magnitude(model, { sparsity: 0.5, exclude: ['blocks.0.*'] });
  assert.ok(report.figures.layers.every(({ path }) => !path.startsWith('blocks.0.')));
  const biases = await prune.magnitude(model, { sparsity: 0.5, include: ['*.bias'] });
  assert.ok(biases.report.figures.layers.every(({ path }) => path.endsWith('.bias')));
  await assert.rejects(
    async () => await prune.magnitude(model, { sparsity: 0.5, include: ['nothing.*'] }),
    /nothing/,
  );
});

test('gradual: steps rise to the exact target, with the mask held through training', async () => {
  const domain = await brightness();
  const { model, report } = await prune.magnitude(await smallNet(), {
    sparsity: 0.8,
    domain,
    gradual: { steps: 3, epochsPerStep: 1 },
    fineTune: { epochs: 2, batchSize: 16 },
  });
  const stages = report.figures.stages.map(({ sparsity }) => sparsity);
  assert.equal(stages.length, 3);
  for (const [i, sparsity] of stages.entries()) {
    assert.ok(Math.abs(sparsity - 0.8 * (1 - (1 - (i + 1) / 3) ** 3)) < 2e-3, String(stages));
  }
  assert.equal(report.figures.totals.zeros, Math.round(report.figures.totals.weights * 0.8));
  assert.ok((await zerosOf(model)).size > 0);
  await assert.rejects(
    async () => await prune.magnitude(await smallNet(), { sparsity: 0.5, fineTune: { epochs: 1 } }),
    /expected a Domain for domain/,
  );
});

test('fine-tuning recovers what pruning cost', async () => {
  const domain = await brightness();
  const options = { domain, fineTune: { epochs: 8, batchSize: 16, optimizer: { learningRate: 0.1 } } };
  const { model } = await prune.magnitude(await smallNet(), { sparsity: 0.6, ...options });
  const { report } = await evaluate.accuracy(model, { domain });
  assert.ok(report.figures.accuracy > 0.9, String(report.figures.accuracy));
});

test.run();
