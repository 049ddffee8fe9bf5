import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { attack, Dataset, Domain, evaluate, isEspalierError, Model, prune, train } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, smallNet, zerosOf } from './support.js';

const folder = temporaryFolder();
const quick = { count: 96, steps: 30, batchSize: 16, learningRates: [1e-2], threads: 1 };

async function bytesOf(model: Model): Promise<string> {
  const file = path.join(folder, 'bytes.pt');
  await model.save(file, { manifest: 'none' });
  return fs.readFileSync(file).toString('base64');
}

async function sparseNet() {
  const domain = await brightness();
  const options = { domain, epochs: 4, batchSize: 16, optimizer: { learningRate: 0.1 } };
  const { model } = await train.supervised(await smallNet(), options);
  return { domain, dense: model, model: (await prune.magnitude(model, { sparsity: 0.7 })).model };
}

const zerosIn = async (model: Model) => [...(await zerosOf(model)).values()].reduce((a, b) => a + b);

const rejects = async (run: PromiseLike<unknown>, code: string, words: RegExp) =>
  await assert.rejects(
    async () => await run,
    (error) => isEspalierError(error) && error.code === code && words.test(error.message),
  );

test('fine-tuning learns, says what it cost, and leaves the given model as it was', async () => {
  const domain = await brightness();
  const model = await smallNet();
  const before = await bytesOf(model);
  const { model: stolen, report } = await attack.fineTune(model, { domain, ...quick });
  assert.equal(await bytesOf(model), before);
  const { figures } = report;
  assert.equal(figures.before.accuracy, (await evaluate.accuracy(model, { domain })).report.figures.accuracy);
  assert.equal(figures.after.accuracy, (await evaluate.accuracy(stolen, { domain })).report.figures.accuracy);
  assert.ok(figures.after.accuracy > figures.before.accuracy + 0.2, JSON.stringify(figures));
  const { images, labels, steps } = figures.cost;
  assert.deepEqual({ images, labels, steps }, { images: 30 * 16, labels: 96, steps: 30 });
  assert.equal(figures.selectAccuracy, null);
});

test('checkpoints are measured along the way, whatever their order', async () => {
  const domain = await brightness();
  const { figures } = (await attack.fineTune(await smallNet(), { domain, ...quick, checkpoints: [20, 5, 5] }))
    .report;
  assert.deepEqual(
    figures.checkpoints.map(({ steps }) => steps),
    [5, 20, 30],
  );
  assert.deepEqual(figures.checkpoints.at(-1)?.accuracy, figures.after);
  assert.equal(figures.cost.steps, 30);
});

test('of several learning rates the best on select data is taken', async () => {
  const domain = await brightness();
  const learningRates = [1e-9, 1e-2];
  const { figures } = (await attack.fineTune(await smallNet(), { domain, ...quick, learningRates })).report;
  assert.equal(figures.learningRate, 1e-2);
  assert.ok((figures.selectAccuracy ?? 0) > 0.4);
  assert.equal(figures.cost.steps, 60);
});

test('zeros are held, or let go', async () => {
  const { domain, model } = await sparseNet();
  const held = await attack.fineTune(model, { domain, ...quick });
  assert.deepEqual(await zerosOf(held.model), await zerosOf(model));
  const lifted = await attack.fineTune(model, { domain, ...quick, maskHeld: false });
  assert.ok((await zerosIn(lifted.model)) < (await zerosIn(model)));
});

test('a retrained head is the only thing that changes', async () => {
  const { domain, model } = await sparseNet();
  const { model: probed, report } = await attack.retrainHead(model, { domain, ...quick });
  assert.ok(report.figures.after.accuracy > 0.4, JSON.stringify(report.figures));
  assert.notEqual(await bytesOf(probed), await bytesOf(model));
  assert.ok(await differOnlyInHead(model, probed));
  const all = await attack.retrainHead(model, { domain, ...quick, layers: 'all' });
  assert.ok(!(await differOnlyInHead(model, all.model)));
});

// With the last layer begun anew from one seed, what is left of a difference is elsewhere.
async function differOnlyInHead(first: Model, second: Model): Promise<boolean> {
  const last = first.layers.filter(({ prunable }) => prunable).at(-1)?.path ?? '';
  const keep = first.parameters
    .map((parameter) => parameter.path)
    .filter((name) => !name.startsWith(`${last}.`));
  const stripped = async (model: Model) => await bytesOf(await model.reinitialize({ seed: 1, keep }));
  return (await stripped(first)) === (await stripped(second));
}

test('a repair on the source comes first, and both trainings count', async () => {
  const { domain, model } = await sparseNet();
  const other = await brightness(160, 4, 'other');
  const options = {
    domain: other,
    source: domain,
    ...quick,
    count: 64,
    repairSteps: 10,
    sourceFraction: 0.25,
  };
  const { figures } = (await attack.sourceRepair(model, options)).report;
  assert.equal(figures.sourceSamples, 36);
  assert.equal(figures.cost.labels, 64 + 36);
  assert.equal(figures.cost.steps, 40);
});

test('a refilled model has no zeros, from noise or from a donor', async () => {
  const { domain, model } = await sparseNet();
  const zeros = await zerosIn(model);
  for (const donor of [undefined, await smallNet(4, 7)]) {
    const attacked = await attack.redensify(model, { domain, ...quick, ...(donor && { donor }) });
    assert.equal(attacked.report.figures.refilled, zeros);
    assert.equal(await zerosIn(attacked.model), 0);
    const { manifest } = await attacked.model.inspect();
    assert.equal((manifest as { sparsity: number }).sparsity, 0);
  }
  await rejects(
    attack.redensify(await smallNet(), { domain, ...quick }),
    'ERR_MODEL_UNSUPPORTED',
    /no zeros/,
  );
  const donor = await Model.create('convnet', {
    classes: 4,
    inChannels: 1,
    inputSize: 8,
    widths: [5, 8],
    seed: 1,
  });
  await rejects(
    attack.redensify(model, { domain, ...quick, donor }),
    'ERR_MODEL_UNSUPPORTED',
    /same architecture/,
  );
});

test('batch norms adapt without labels, weights stay', async () => {
  const { domain, dense } = await sparseNet();
  const { model, report } = await attack.batchNormAdaptation(dense, {
    domain,
    count: 100,
    steps: 7,
    batchSize: 32,
  });
  const { labels, images, steps } = report.figures.cost;
  // 32, 32, 32, 4, then 32, 32, 32.
  assert.deepEqual({ labels, images, steps }, { labels: 0, images: 196, steps: 7 });
  assert.notEqual(await bytesOf(model), await bytesOf(dense));
  const keep = ['*weight', '*bias'];
  const fresh = async (of: Model) => await bytesOf(await of.reinitialize({ seed: 1, keep }));
  assert.equal(await fresh(model), await fresh(dense));
});

test('a model without batch norms has nothing to adapt', async () => {
  const plain = await Model.create('lenet5', { classes: 4, inChannels: 1, inputSize: 28, seed: 1 });
  const wide = await bigger();
  await rejects(
    attack.batchNormAdaptation(plain, { domain: wide }),
    'ERR_MODEL_UNSUPPORTED',
    /batch norms, found none/,
  );
});

async function bigger(): Promise<Domain> {
  const data = new Uint8Array(40 * 28 * 28).fill(7).map((_, i) => i % 251);
  const labels = Array.from({ length: 40 }, (_, i) => i % 4);
  const all = await Dataset.from({ data, shape: [40, 1, 28, 28], labels });
  return await Domain.open({ name: 'large', fit: all, report: all });
}

test('a probe sees through a ruined head, and replaces it alone', async () => {
  const { domain, dense } = await sparseNet();
  const last = dense.layers.filter(({ prunable }) => prunable).at(-1)?.path ?? '';
  const { model: ruined } = await prune.magnitude(dense, { sparsity: 1, include: [`${last}.weight`] });
  const options = { domain, ...quick, steps: 150, learningRates: [1e-9, 1e-2] };
  const { model, report } = await attack.linearProbe(ruined, options);
  const { figures } = report;
  assert.ok(figures.before.accuracy < 0.5 && figures.after.accuracy > 0.8, JSON.stringify(figures));
  assert.equal(figures.learningRate, 1e-2);
  assert.equal(figures.after.accuracy, (await evaluate.accuracy(model, { domain })).report.figures.accuracy);
  assert.ok(await differOnlyInHead(ruined, model));
});

test('a probe reads features that hardly move', async () => {
  const { dense } = await sparseNet();
  const labels = Array.from({ length: 240 }, (_, i) => i % 4);
  const data = Float32Array.from({ length: 240 * 64 }, (_, i) => 1e-4 * (Math.floor(i / 64) % 4));
  const all = await Dataset.from({ data, shape: [240, 1, 8, 8], labels });
  const domain = await Domain.open({ name: 'dim', fit: all, report: all });
  const { figures } = (await attack.linearProbe(dense, { domain, ...quick, steps: 150 })).report;
  assert.ok(figures.before.accuracy < 0.5 && figures.after.accuracy > 0.7, JSON.stringify(figures));
});

test('neighbours see through a ruined head', async () => {
  const { domain, dense } = await sparseNet();
  const last = dense.layers.filter(({ prunable }) => prunable).at(-1)?.path ?? '';
  const { model: ruined } = await prune.magnitude(dense, { sparsity: 1, include: [`${last}.weight`] });
  const { figures } = (await attack.nearestNeighbour(ruined, { domain, count: 96 })).report;
  assert.ok(figures.before.accuracy < 0.5 && figures.after.accuracy > 0.8, JSON.stringify(figures));
  assert.deepEqual([figures.cost.steps, figures.cost.labels], [0, 96]);
  await rejects(
    attack.nearestNeighbour(ruined, { domain, count: 3 }),
    'ERR_OUT_OF_RANGE',
    /at most 3 .*neighbours/,
  );
});

test('what cannot be attacked is refused by name', async () => {
  const model = await smallNet();
  const domain = await brightness();
  const start = (options: object) => attack.fineTune(model, { domain, ...quick, ...options });
  await rejects(start({ count: 1000 }), 'ERR_OUT_OF_RANGE', /1 to 144 .*brightness.*1000/);
  await rejects(start({ fraction: 0.5 }), 'ERR_INVALID_ARG_TYPE', /count or fraction/);
  await rejects(start({ checkpoints: [31] }), 'ERR_OUT_OF_RANGE', /checkpoints of at most 30/);
  await rejects(start({ domain: await brightness(240, 3) }), 'ERR_DATA_INVALID', /4 classes of the model/);
});

test.run();
