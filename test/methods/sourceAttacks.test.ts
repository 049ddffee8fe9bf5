import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {
  attack,
  Dataset,
  Domain,
  evaluate,
  isEspalierError,
  type Model,
  prune,
  train,
} from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, brightnessParts, smallNet, zerosOf } from './support.js';

// The attacks that train on authorised data alone.

const folder = temporaryFolder();
const quick = { steps: 30, batchSize: 16, learningRates: [1e-2], threads: 1 };

async function bytesOf(model: Model): Promise<string> {
  const file = path.join(folder, 'bytes.pt');
  await model.save(file, { manifest: 'none' });
  return fs.readFileSync(file).toString('base64');
}

const rejects = async (run: PromiseLike<unknown>, code: string, words: RegExp) =>
  await assert.rejects(
    async () => await run,
    (error) => isEspalierError(error) && error.code === code && words.test(error.message),
  );

async function setting() {
  const [source, domain] = [await brightness(), await brightness(160, 4, 'other')];
  const { model } = await train.supervised(await smallNet(), {
    domain: source,
    epochs: 3,
    batchSize: 16,
    optimizer: { learningRate: 0.1 },
  });
  return { model, source, domain };
}

const accuracyOf = async (model: Model, domain: Domain) =>
  (await evaluate.accuracy(model, { domain })).report.figures.accuracy;

// The options of each attack that make it what it is.
const attacks = {
  elasticFineTune: {
    start: attack.elasticFineTune,
    own: { fraction: 0.5, fisherSamples: 20, lambda: 10 },
  },
  corruptedViews: {
    start: attack.corruptedViews,
    own: { fraction: 0.5, rho: 0.1 },
  },
} as const;

for (const [name, { start, own }] of Object.entries(attacks)) {
  test(`${name}: figures are those of the model that comes back, on both domains`, async () => {
    const { model, source, domain } = await setting();
    const before = await bytesOf(model);
    const attacked = await start(model, { source, domain, ...quick, ...own });
    assert.equal(await bytesOf(model), before);
    const { figures } = attacked.report;
    assert.equal(figures.before.accuracy, await accuracyOf(model, domain));
    assert.equal(figures.after.accuracy, await accuracyOf(attacked.model, domain));
    assert.equal(figures.source.before.accuracy, await accuracyOf(model, source));
    assert.equal(figures.source.after.accuracy, await accuracyOf(attacked.model, source));
    assert.deepEqual([figures.cost.steps, figures.samples, figures.cost.labels], [30, 72, 72]);
    assert.notEqual(await bytesOf(attacked.model), before);
  });

  test(`${name}: of several learning rates the best on select data of the attacked domain is taken`, async () => {
    const { source, domain } = await setting();
    const rates = { ...quick, learningRates: [1e-9, 1e-2] };
    const { figures } = (await start(await smallNet(), { source, domain, ...rates, ...own })).report;
    assert.equal(figures.learningRate, 1e-2);
    assert.ok((figures.selectAccuracy ?? 0) > 0.4);
    assert.equal(figures.cost.steps, 60);
  });

  test(`${name}: zeros are held, or let go`, async () => {
    const { model, source, domain } = await setting();
    const sparse = (await prune.magnitude(model, { sparsity: 0.7 })).model;
    const options = { source, domain, ...quick, ...own };
    assert.deepEqual(await zerosOf((await start(sparse, options)).model), await zerosOf(sparse));
    const lifted = await zerosOf((await start(sparse, { ...options, maskHeld: false })).model);
    assert.notDeepEqual(lifted, await zerosOf(sparse));
  });

  test(`${name}: what cannot be attacked is refused by name`, async () => {
    const { model, source, domain } = await setting();
    const from = (options: object) => start(model, { source, domain, ...quick, ...own, ...options });
    await rejects(from({ fraction: 1e-6 }), 'ERR_OUT_OF_RANGE', /1 to 144 .*brightness.* 0/);
    await rejects(from({ domain: await brightness(240, 3) }), 'ERR_DATA_INVALID', /4 classes of the model/);
    await rejects(from({ source: await brightness(240, 3) }), 'ERR_DATA_INVALID', /4 classes of the model/);
    const { fit, report } = await brightnessParts();
    const blind = await Domain.open({ name: 'blind', fit, select: 0.1 });
    await rejects(from({ domain: blind }), 'ERR_DATA_INVALID', /report.*blind|blind.*report/);
    await rejects(from({ source: blind }), 'ERR_DATA_INVALID', /report.*blind|blind.*report/);
    const unfit = await Domain.open({ name: 'unfit', report });
    await rejects(from({ source: unfit }), 'ERR_DATA_INVALID', /fit.*unfit|unfit.*fit/);
    // To be measured a domain needs neither, as long as there is nothing to choose.
    await from({ domain: unfit });
    await rejects(from({ domain: unfit, learningRates: [1e-3, 1e-2] }), 'ERR_DATA_INVALID', /select/);
  });
}

test('without a pull elastic fine-tuning is fine-tuning on the source, byte by byte', async () => {
  const { model, source, domain } = await setting();
  const options = { ...quick, count: 96, seed: 4 };
  const plain = await attack.fineTune(model, { domain: source, ...options });
  const free = await attack.elasticFineTune(model, { source, domain, ...options, lambda: 0 });
  assert.equal(await bytesOf(free.model), await bytesOf(plain.model));
  const { meanFisher, penalty, cost } = free.report.figures;
  assert.deepEqual(
    { meanFisher, penalty, images: cost.images },
    { meanFisher: null, penalty: 0, images: 480 },
  );
  const held = await attack.elasticFineTune(model, { source, domain, ...options, lambda: 1 });
  assert.notEqual(await bytesOf(held.model), await bytesOf(plain.model));
  assert.ok((held.report.figures.meanFisher ?? 0) > 0);
  // The images of the Fisher information count too.
  assert.equal(held.report.figures.cost.images, 480 + 96);
});

test('statistics of batch norms are held, or follow the source', async () => {
  const { model, source, domain } = await setting();
  const keep = ['*running_mean', '*running_var', '*num_batches_tracked'];
  const statistics = async (of: Model) => await bytesOf(await of.reinitialize({ seed: 1, keep }));
  const after = async (options: object) =>
    (await attack.elasticFineTune(model, { source, domain, ...quick, ...options })).model;
  const given = await statistics(model);
  for (const lambda of [0, 10]) {
    assert.equal(await statistics(await after({ lambda, statisticsHeld: true })), given);
    assert.notEqual(await statistics(await after({ lambda })), given);
  }
});

test('without views and sharpness it is fine-tuning on the source, byte by byte', async () => {
  const { model, source, domain } = await setting();
  const options = { ...quick, fraction: 0.5, seed: 4 };
  const plain = await bytesOf((await attack.fineTune(model, { domain: source, ...options })).model);
  const bytes = async (change: object) =>
    await bytesOf((await attack.corruptedViews(model, { source, domain, ...options, ...change })).model);
  assert.equal(await bytes({ weight: 0, rho: 0 }), plain);
  const views = await bytes({ rho: 0 });
  const sharp = await bytes({ weight: 0 });
  const both = await bytes({});
  assert.equal(new Set([plain, views, sharp, both, await bytes({ adaptive: true })]).size, 5);
  assert.equal(await bytes({ rho: 0, adaptive: true }), views);
});

test('the model learns to answer views of images as the images', async () => {
  const { model, source } = await setting();
  const domain = await noisy();
  const options = { source, domain, ...quick, fraction: 1, steps: 200, learningRates: [3e-3], rho: 0 };
  const after = async (weight: number) =>
    (await attack.corruptedViews(model, { ...options, weight })).report.figures;
  const [plain, robust] = [await after(0), await after(20)];
  assert.ok(robust.after.accuracy > plain.after.accuracy + 0.1, JSON.stringify([plain.after, robust.after]));
  assert.ok(robust.source.after.accuracy > 0.9, JSON.stringify(robust.source));
});

// The same classes under noise.
async function noisy(): Promise<Domain> {
  const [count, pixels] = [200, 64];
  let state = 777;
  const data = Uint8Array.from({ length: count * pixels }, (_, i) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const noise = ((state >>> 16) % 161) - 80;
    return Math.min(255, Math.max(0, (Math.floor(i / pixels) % 4) * 50 + 20 + noise));
  });
  const labels = Array.from({ length: count }, (_, i) => i % 4);
  const all = await Dataset.from({ data, shape: [count, 1, 8, 8], labels });
  return await Domain.open({ name: 'noisy', report: all });
}

test.run();
