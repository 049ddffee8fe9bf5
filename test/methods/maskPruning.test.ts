import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { authorize, type Domain, evaluate, isEspalierError, Model, train } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, smallNet, stripes, zerosOf } from './support.js';

const folder = temporaryFolder();
const code = (expected: string) => (error: unknown) => isEspalierError(error) && error.code === expected;
const digestOf = async (model: Model) => (await model.inspect()).digest;

const kShort = {
  steps: 200,
  batchSize: 16,
  readings: 5,
  sourceFloor: 0.1,
  learningRate: 1e-3,
  seed: 3,
} as const;

async function trained(source: Domain): Promise<Model> {
  const start = await Model.create('convnet', {
    classes: 4,
    inChannels: 1,
    inputSize: 8,
    widths: [16, 24],
    seed: 1,
  });
  const { model } = await train.supervised(start, {
    domain: source,
    epochs: 8,
    batchSize: 16,
    labelSmoothing: 0.1,
    optimizer: { kind: 'adam', learningRate: 5e-3 },
    seed: 1,
  });
  return model;
}

const accuracyOn = async (model: Model, domain: Domain) =>
  (await evaluate.accuracy(model, { domain })).report.figures.accuracy;

async function task() {
  const source = await stripes();
  const target = await stripes(240, { name: 'pale stripes', contrast: 90 });
  return { source, target, model: await trained(source) };
}

test(
  'the source is kept and the target lost, and the mask is a right that can be taken back',
  async () => {
    const { source, target, model } = await task();
    const before = await accuracyOn(model, target);
    assert.ok(before > 0.5, String(before));
    const {
      model: masked,
      mask,
      report,
    } = await authorize.maskPruning(model, { variant: 'sourceAvailable', source, target, ...kShort });
    const { figures } = report;
    assert.ok((await accuracyOn(masked, source)) > 0.85, JSON.stringify(figures.source));
    assert.ok((await accuracyOn(masked, target)) < before - 0.15, JSON.stringify(figures.targets));
    assert.equal(figures.source.held, true);
    assert.equal(figures.readings.length, 5);
    assert.ok(figures.sparsity > 0.01 && figures.sparsity < 0.9, String(figures.sparsity));
    assert.equal(figures.totals.zeros, mask.weights - mask.kept);
    assert.deepEqual(figures.read, { source: 192, target: 192, generated: 0 });
    assert.deepEqual(figures.generator, []);

    // Nothing but zeros is new, and the key puts back what was cut.
    assert.equal(mask.dense, await digestOf(model));
    assert.equal(figures.dense, mask.dense);
    const { model: locked, key } = await authorize.applyMask(model, mask);
    assert.equal(await digestOf(locked), await digestOf(masked));
    const { model: open } = await authorize.removeMask(masked, key);
    assert.equal(await digestOf(open), await digestOf(model));
    await assert.rejects(async () => await authorize.applyMask(masked, mask), code('ERR_OUT_OF_RANGE'));

    const names = figures.controls.map(({ name }) => name);
    assert.deepEqual(names, ['lambda 0', 'random', 'magnitude']);
    const after = figures.targets[0]?.after ?? 1;
    const [plain, random, magnitude] = figures.controls;
    assert.ok((plain?.targets[0] ?? 0) > after + 0.1, JSON.stringify(figures.controls));
    for (const control of [random, magnitude]) assert.equal(control?.pruned, figures.sparsity);

    const file = path.join(folder, 'masked.pt');
    await masked.save(file);
    const bytes = fs.readFileSync(file, 'latin1');
    for (const word of ['pale', 'maskPruning', 'lambda']) assert.ok(!bytes.includes(word), word);
  },
  { timeoutMs: 120_000 },
);

test("pseudo-labels: the target's own labels do not matter", async () => {
  const { source, target, model } = await task();
  const options = { variant: 'sourceAvailable', source, ...kShort, controls: false } as const;
  const run = async (domain: Domain, targetLabels: 'given' | 'pseudo') =>
    (await authorize.maskPruning(model, { ...options, target: domain, targetLabels })).report.figures;
  const pseudo = await run(target, 'pseudo');
  const given = await run(target, 'given');
  assert.ok((pseudo.targets[0]?.drop ?? 0) > 0.1, JSON.stringify(pseudo.targets));
  assert.notDeepEqual(pseudo.readings, given.readings);
  assert.deepEqual(pseudo.controls, []);
});

test('maxPruned is a limit, keepHead and exclude leave weights as they are', async () => {
  const { source, target, model } = await task();
  const options = {
    variant: 'sourceAvailable',
    source,
    target,
    ...kShort,
    learningRate: 3e-3,
    sourceFloor: 1,
    controls: false,
  } as const;
  const free = (await authorize.maskPruning(model, options)).report.figures;
  assert.ok(free.sparsity > 0.1, String(free.sparsity));
  const limited = (await authorize.maskPruning(model, { ...options, maxPruned: 0.05 })).report.figures;
  assert.equal(limited.totals.zeros, Math.floor(limited.totals.weights * 0.05));
  const { model: kept, report } = await authorize.maskPruning(model, {
    ...options,
    keepHead: true,
    exclude: ['blocks.0.conv.weight'],
  });
  const zeros = await zerosOf(kept);
  assert.equal(zeros.get('fc.weight'), 0);
  assert.equal(zeros.get('blocks.0.conv.weight'), 0);
  assert.ok((zeros.get('blocks.1.conv.weight') ?? 0) > 0);
  assert.deepEqual(
    report.figures.layers.map(({ path }) => path),
    ['blocks.1.conv.weight'],
  );
});

const kImagined = {
  ...kShort,
  steps: 240,
  readings: 4,
  learningRate: 1e-4,
  rounds: 2,
  batchSize: 32,
  generator: {
    latent: 16,
    channels: 16,
    steps: 150,
    laterSteps: 30,
    memory: 300,
    confidence: 0.5,
    weightNorm: 1,
    weightDiversity: 5,
  },
} as const;

test(
  'source-free: no source is read, and the answers on made images are kept',
  async () => {
    const { source, target, model } = await task();
    const {
      model: masked,
      mask,
      report,
    } = await authorize.maskPruning(model, { variant: 'sourceFree', target, ...kImagined });
    const { figures } = report;
    assert.equal(figures.read.source, 0);
    assert.equal(figures.source.domain, null);
    assert.equal(figures.source.before, 1);
    assert.ok(figures.source.after >= 0.8, JSON.stringify(figures.source));
    assert.deepEqual(Object.keys(report.inputs ?? {}).sort(), ['model', 'target']);
    assert.equal(figures.generator.length, 2);
    for (const round of figures.generator) {
      assert.ok(round.agreement > 0.8, JSON.stringify(round));
      assert.ok(round.remembered > 100 && round.remembered <= 300);
      assert.ok((round.statistics ?? -1) >= 0);
    }
    // 150 + 30 batches of 64, and twice 512 to look at.
    assert.equal(figures.read.generated, 180 * 64 + 1024);
    assert.ok((figures.targets[0]?.drop ?? 0) > 0.1, JSON.stringify(figures.targets));
    assert.equal(figures.controls[0]?.name, 'lambda 0');
    assert.equal(mask.dense, await digestOf(model));
    assert.ok((await accuracyOn(masked, source)) > 0.4);
    await assert.rejects(
      async () =>
        await authorize.maskPruning(model, { variant: 'sourceFree', source, target, ...kImagined } as never),
      (error) => isEspalierError(error) && /source/.test(error.message),
    );
  },
  { timeoutMs: 120_000 },
);

test(
  'data-free: neither is read, and the shape comes from the manifest or an option',
  async () => {
    const { model } = await task();
    const options = {
      variant: 'dataFree',
      ...kImagined,
      controls: false,
      diversifier: { directions: 2, steps: 10, leastAccuracy: 0 },
    } as const;
    const { report } = await authorize.maskPruning(model, options);
    const { figures } = report;
    assert.deepEqual(figures.targets, []);
    assert.equal(figures.read.source + figures.read.target, 0);
    assert.deepEqual(
      figures.diversifier.map(({ direction }) => direction),
      [0, 1, 0, 1],
    );
    assert.ok(figures.sparsity > 0);
    assert.ok(figures.source.after >= 0.8, JSON.stringify(figures.source));
    const file = path.join(folder, 'nameless.pt');
    await model.save(file, { manifest: 'none' });
    const nameless = await Model.load(file);
    await assert.rejects(
      async () => await authorize.maskPruning(nameless, options),
      code('ERR_OUT_OF_RANGE'),
    );
    const short = { ...options, steps: 2, readings: 2 };
    assert.equal(
      (await authorize.maskPruning(nameless, { ...short, imageShape: [1, 8, 8] })).report.figures.steps,
      2,
    );
  },
  { timeoutMs: 120_000 },
);

test('a generator that makes nothing that the model knows is said so', async () => {
  const { target, model } = await task();
  const generator = { ...kImagined.generator, steps: 1, confidence: 1 };
  await assert.rejects(
    async () =>
      await authorize.maskPruning(model, { variant: 'sourceFree', target, ...kImagined, generator }),
    code('ERR_TARGET_UNREACHABLE'),
  );
});

test('says what is wrong', async () => {
  const [source, target] = [await stripes(), await brightness()];
  const model = await smallNet();
  const options = { variant: 'sourceAvailable', source, target, ...kShort } as const;
  const refuses = async (changes: object, expected: string) =>
    await assert.rejects(
      async () => await authorize.maskPruning(model, { ...options, ...changes }),
      code(expected),
    );
  await refuses({ target: source }, 'ERR_DATA_INVALID');
  await refuses({ target: [] }, 'ERR_OUT_OF_RANGE');
  await refuses({ threshold: 0.01 }, 'ERR_OUT_OF_RANGE');
  await refuses({ steps: 3 }, 'ERR_OUT_OF_RANGE');
  await refuses({ include: ['nothing'] }, 'ERR_OUT_OF_RANGE');
  await refuses({ include: ['fc.weight'], keepHead: true }, 'ERR_MODEL_UNSUPPORTED');
});

test.run();
