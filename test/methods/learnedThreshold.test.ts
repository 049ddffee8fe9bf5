import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Domain, evaluate, isEspalierError, Mask, type Model, prune, Trail, train } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, brightnessParts, smallNet, zerosOf } from './support.js';

const folder = temporaryFolder();
const code = (expected: string) => (error: unknown) => isEspalierError(error) && error.code === expected;

// 528 weights: a cost that prunes most of them in a few dozen steps.
const quick = {
  epochs: 10,
  fineTuneEpochs: 2,
  batchSize: 16,
  lambda: 0.02,
  temperature: 0.05,
  thresholdRate: 2,
  optimizer: { learningRate: 0.02 },
  refreshBatches: 5,
} as const;

async function trainedNet(domain: Domain): Promise<Model> {
  const options = { domain, epochs: 8, batchSize: 16, optimizer: { learningRate: 0.1 } } as const;
  return (await train.supervised(await smallNet(), options)).model;
}

async function bytesOf(model: Model): Promise<string> {
  const file = path.join(folder, 'bytes.pt');
  await model.save(file, { manifest: 'none' });
  return fs.readFileSync(file).toString('base64');
}

test('prunes, keeps the accuracy, and tells what it did', async () => {
  const domain = await brightness();
  const dense = await trainedNet(domain);
  const before = await bytesOf(dense);
  const run = prune.learnedThreshold(dense, { domain, ...quick });
  const seen = new Set<string>();
  for await (const { metrics } of run) for (const name of Object.keys(metrics)) seen.add(name);
  for (const name of ['loss', 'density', 'softAccuracy', 'hardAccuracy']) assert.ok(seen.has(name), name);
  const { model, mask, trail, report } = await run;
  assert.equal(await bytesOf(dense), before);
  const { figures } = report;
  assert.ok(figures.density < 0.7, String(figures.density));
  assert.ok((figures.accuracy.fineTuned ?? 0) > 0.9, JSON.stringify(figures.accuracy));
  // What the report, the mask and the model say of zeros is one thing.
  const zeros = await zerosOf(model);
  for (const { path, weights, kept } of figures.layers) assert.equal(zeros.get(path), weights - kept, path);
  const kept = figures.layers.reduce((sum, layer) => sum + layer.kept, 0);
  assert.equal(mask.kept, kept);
  assert.equal((await Mask.of(model)).digest, mask.digest);
  assert.ok(Math.abs(figures.density * figures.compression - 1) < 1e-9);
  for (const layer of figures.layers) {
    assert.equal(
      layer.histogram.counts.reduce((a, b) => a + b),
      layer.weights,
    );
    assert.ok(layer.multiplyAccumulates > 0);
  }
  assert.equal(figures.epochs.length, quick.epochs);
  const densities = trail.points.map(({ density }) => density);
  assert.ok(densities.every((density, i) => i === 0 || density < (densities[i - 1] as number)));
  assert.equal(trail.accuracy, figures.accuracy.dense);
});

test('the same seed gives the same bytes, another one does not', async () => {
  const domain = await brightness();
  const dense = await trainedNet(domain);
  const once = async (seed: number) =>
    (await prune.learnedThreshold(dense, { domain, ...quick, epochs: 3, seed, threads: 1 })).model;
  assert.equal(await bytesOf(await once(1)), await bytesOf(await once(1)));
  assert.notEqual(await bytesOf(await once(1)), await bytesOf(await once(2)));
});

test('a trail is saved, loaded, and picked from by density and by accuracy', async () => {
  const domain = await brightness();
  const { trail } = await prune.learnedThreshold(await trainedNet(domain), { domain, ...quick });
  const file = path.join(folder, 'run.trail');
  await trail.save(file);
  const loaded = await Trail.load(file);
  assert.equal(loaded.digest, trail.digest);
  assert.deepEqual(loaded.points, trail.points);
  const middle = trail.points[Math.floor(trail.points.length / 2)];
  assert.ok(middle !== undefined);
  const picked = await loaded.pick({ density: middle.density });
  const mask = await Mask.of(picked);
  assert.ok(Math.abs(mask.kept / mask.weights - middle.density) < 1e-12);
  const asReport = await Domain.open({ name: 'select', report: (await brightnessParts()).select });
  const { report } = await evaluate.accuracy(picked, { domain: asReport });
  assert.ok(Math.abs(report.figures.accuracy - middle.accuracy) < 1e-12);
  const cheapest = await loaded.pick({ accuracyDrop: 1 });
  const { kept, weights } = await Mask.of(cheapest);
  assert.ok(Math.abs(kept / weights - Math.min(...trail.points.map(({ density }) => density))) < 1e-12);
  await assert.rejects(async () => await loaded.pick({ density: 1e-6 }), code('ERR_TARGET_UNREACHABLE'));
  await assert.rejects(async () => await loaded.pick({} as never), code('ERR_INVALID_ARG_TYPE'));
  fs.writeFileSync(file, fs.readFileSync(file).subarray(0, 2000));
  await assert.rejects(async () => await Trail.load(file), isEspalierError);
});

test('a target stops the thresholds, a cap spares each layer', async () => {
  const domain = await brightness();
  const dense = await trainedNet(domain);
  const steep = { ...quick, lambda: 1, fineTuneEpochs: 0 };
  const { report } = await prune.learnedThreshold(dense, { domain, ...steep, target: { density: 0.5 } });
  assert.equal(report.figures.targetReached, true);
  assert.ok(report.figures.density <= 0.5 && report.figures.density > 0.3, String(report.figures.density));
  const capped = await prune.learnedThreshold(dense, { domain, ...steep, maxLayerSparsity: 0.6 });
  for (const { density, path } of capped.report.figures.layers)
    assert.ok(density >= 0.4, `${path}: ${density}`);
  assert.ok(capped.report.figures.layers.some(({ stepsUndone }) => stepsUndone > 0));
  // The default cap: however high the cost, no layer loses its last weight.
  const { report: all } = await prune.learnedThreshold(dense, { domain, ...steep, lambda: 100 });
  for (const { kept, path } of all.figures.layers) assert.ok(kept >= 1, path);
});

test('without a cost nothing is pruned; with the plain rule thresholds rise too', async () => {
  const domain = await brightness();
  const dense = await trainedNet(domain);
  const free = { ...quick, epochs: 4, fineTuneEpochs: 0 };
  const { report } = await prune.learnedThreshold(dense, { domain, ...free, lambda: 0, initialDensity: 0.5 });
  assert.ok(report.figures.density > 0.4, String(report.figures.density));
  const { report: plain } = await prune.learnedThreshold(dense, {
    domain,
    ...free,
    thresholdRate: 'auto',
    thresholdRule: 'plain',
  });
  assert.ok(plain.figures.layers.every(({ threshold }) => threshold > 0));
  const { report: still } = await prune.learnedThreshold(dense, {
    domain,
    ...free,
    layerRates: { 'blocks.*': 0 },
  });
  const [first] = still.figures.layers;
  assert.equal(first?.threshold, 0);
});

test('zeros of a pruned model count as pruned and stay', async () => {
  const domain = await brightness();
  const { model: sparse } = await prune.magnitude(await trainedNet(domain), { sparsity: 0.5 });
  const mask = await zerosOf(sparse);
  const { model, report } = await prune.learnedThreshold(sparse, {
    domain,
    ...quick,
    epochs: 2,
    lambda: 0,
  });
  assert.ok(report.figures.density <= 0.5);
  const after = await zerosOf(model);
  for (const [path, zeros] of mask) assert.ok((after.get(path) ?? 0) >= zeros, path);
});

test('losses by name, teachers, precision', async () => {
  const domain = await brightness();
  const dense = await trainedNet(domain);
  const short = { domain, ...quick, epochs: 2, fineTuneEpochs: 1 };
  const losses: number[] = [];
  for (const more of [
    {},
    { teacher: dense },
    { loss: 'meanSquaredError' },
    { loss: 'meanSquaredError', teacher: dense },
    { precision: 'bfloat16' },
    { weightGradient: 'exact' },
  ] as const) {
    const { report } = await prune.learnedThreshold(dense, { ...short, ...more });
    losses.push(report.figures.epochs.at(-1)?.loss ?? Number.NaN);
  }
  assert.equal(new Set(losses).size, losses.length, losses.join(', '));
  assert.ok(losses.every(Number.isFinite));
  await assert.rejects(
    async () => await prune.learnedThreshold(dense, { ...short, loss: 'softTargets' }),
    code('ERR_INVALID_ARG_TYPE'),
  );
  await assert.rejects(
    async () => await prune.learnedThreshold(dense, { ...short, loss: 'crossEntropy', teacher: dense }),
    code('ERR_INVALID_ARG_TYPE'),
  );
});

test('refuses what cannot be, by name', async () => {
  const domain = await brightness();
  const model = await smallNet();
  const refused = async (options: object, expected: string) =>
    await assert.rejects(
      async () => await prune.learnedThreshold(model, { domain, ...quick, ...options }),
      code(expected),
    );
  await refused({ target: {} }, 'ERR_INVALID_ARG_TYPE');
  await refused({ target: { density: 0.5, compression: 2 } }, 'ERR_INVALID_ARG_TYPE');
  await refused({ thresholdRule: 'plain', thresholdRate: 'auto', lambda: 0 }, 'ERR_OUT_OF_RANGE');
  await refused({ include: ['nothing.*'] }, 'ERR_OUT_OF_RANGE');
  await refused({ exclude: ['*'] }, 'ERR_MODEL_UNSUPPORTED');
  await refused({ initialDensity: 0 }, 'ERR_OUT_OF_RANGE');
  const { report } = await brightnessParts();
  const onlyReport = await Domain.open({ name: 'only report', report });
  await assert.rejects(
    async () => await prune.learnedThreshold(model, { domain: onlyReport, ...quick }),
    /fit/,
  );
});

test.run();
