import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { Dataset } from '../lib/dataset.js';
import { Domain } from '../lib/domain.js';
import { type ErrorCode, isEspalierError, type KnownDetails } from '../lib/errors.js';
import { accuracy } from '../lib/evaluate/accuracy.js';
import { type CreateOptions, Model } from '../lib/model.js';
import { magnitude } from '../lib/prune/magnitude.js';
import { contrastive } from '../lib/train/contrastive.js';
import { supervised } from '../lib/train/supervised.js';
import { temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';

// Sizes and numbers at the edge, as docs/data.md decides them; weights that are no numbers are in
// test/native/odd_numbers.test.cc.

const kSize = 16;
const folder = temporaryFolder();

interface Odd {
  size?: number;
  labels?: (i: number) => number;
  classes?: number;
  value?: (i: number) => number;
}

function dataset(count: number, { size = kSize, labels = (i) => i % 4, classes = 4, value }: Odd = {}) {
  const data = new Float32Array(count * size * size).map((_, i) => value?.(i) ?? ((i * 37) % 101) / 101);
  return Dataset.from({
    data,
    shape: [count, 1, size, size],
    labels: Array.from({ length: count }, (_, i) => labels(i)),
    classes,
  });
}

async function domain(count: number, odd: Odd = {}): Promise<Domain> {
  const fit = await dataset(count, odd);
  return Domain.open({ name: 'odd', fit, select: 0, report: await dataset(8, odd) });
}

const net = (options: Partial<CreateOptions> = {}) =>
  Model.create('convnet', {
    classes: 4,
    inChannels: 1,
    inputSize: kSize,
    widths: [4, 8],
    seed: 1,
    ...options,
  });

async function refused(code: ErrorCode, promise: Promise<unknown>, ...words: string[]) {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(isEspalierError(error), String(error));
  assert.is(error.code, code, error.message);
  for (const word of words) assert.match(error.message, word);
  return error;
}

const epoch = { epochs: 1, batchSize: 4 };
const loss = async (run: ReturnType<typeof supervised>) => (await run).report.figures.finalLoss;

test('a dataset without samples, or with samples without pixels, is refused', async () => {
  await refused('ERR_DATA_INVALID', dataset(0), 'none empty', '[0, 1, 16, 16]');
  await refused('ERR_DATA_INVALID', dataset(2, { size: 0 }), 'none empty', '[2, 1, 0, 0]');
});

test('NaN and infinity in samples, and labels out of range, are named by their place', async () => {
  const spoiled = await refused(
    'ERR_DATA_INVALID',
    dataset(4, { value: (i) => (i === 600 ? Number.NaN : 0) }),
    'sample 2',
  );
  assert.equal(spoiled.details, { index: 2 });
  await refused('ERR_DATA_INVALID', dataset(4, { value: (i) => (i === 0 ? -Infinity : 0) }), 'sample 0');
  const label = await refused('ERR_DATA_INVALID', dataset(4, { labels: (i) => i + 2 }), 'found 4 at index 2');
  assert.equal(label.details, { index: 2, label: 4 });
  for (const wrong of [Number.NaN, Infinity, 1.5])
    await refused('ERR_INVALID_ARG_TYPE', dataset(4, { labels: () => wrong }), 'labels[0]');
});

test('a model with too few outputs for the labels is refused before it trains', async () => {
  const ten = await domain(20, { classes: 10 });
  await refused('ERR_DATA_INVALID', supervised(await net(), { domain: ten, ...epoch }), '4 classes');
});

test('one sample trains where nothing is held out of it, and cannot be cut in two', async () => {
  assert.ok((await loss(supervised(await net(), { domain: await domain(1), ...epoch }))) > 0);
  await refused(
    'ERR_DATA_INVALID',
    Domain.open({ name: 'one', fit: await dataset(1) }),
    'cannot hold out 0.1 of 1 samples',
  );
  const { report } = await accuracy(await net(), { domain: await domain(1) });
  assert.is(report.figures.samples, 8);
});

test('one class trains, of several; a model of one class is refused', async () => {
  const same = await domain(20, { labels: () => 2 });
  const { model } = await supervised(await net(), { domain: same, ...epoch });
  const { report } = await accuracy(model, { domain: same });
  assert.equal(
    report.figures.perClass.map((one) => one.accuracy === null),
    [true, true, false, true],
  );
  await refused('ERR_OUT_OF_RANGE', net({ classes: 1 }), '>= 2 for classes');
});

test('a batch larger than the set is the set; where whole batches are needed it is refused', async () => {
  const ten = await domain(10);
  const options = { domain: ten, epochs: 2, seed: 3, threads: 1 };
  const [large, exact] = [
    await loss(supervised(await net(), { ...options, batchSize: 1000 })),
    await loss(supervised(await net(), { ...options, batchSize: 10 })),
  ];
  assert.is(large, exact);
  await refused(
    'ERR_DATA_INVALID',
    contrastive(await net(), { domain: ten, epochs: 1, batchSize: 1000 }),
    'one full batch',
    'smaller batchSize',
  );
});

test('a batch of one sample passes a batch norm over pixels, and is refused by one over a single value', async () => {
  assert.ok((await loss(supervised(await net(), { domain: await domain(5), ...epoch }))) > 0);
  // The last norm sees 1 x 1 pixels: the fifth sample, alone in its batch, has no variance there.
  const narrow = await net({ widths: [4, 4, 4], inputSize: 4 });
  const five = await domain(5, { size: 4 });
  const error = await refused(
    'ERR_DIVERGED',
    supervised(narrow, { domain: five, ...epoch }),
    'leave no batch of one sample',
  );
  const { model: _, ...details } = error.details as KnownDetails['ERR_DIVERGED'];
  assert.equal(details, { step: 1, layer: 'blocks.2.bn.running_var' });
  assert.ok((await loss(supervised(narrow, { domain: five, epochs: 1, batchSize: 5 }))) > 0);
});

test('layers of no width are refused; of width one they train', async () => {
  await refused('ERR_OUT_OF_RANGE', net({ widths: [0, 8] }), 'widths[0]');
  assert.ok(
    (await loss(supervised(await net({ widths: [1, 1] }), { domain: await domain(8), ...epoch }))) > 0,
  );
});

test('everything and nothing can be pruned', async () => {
  for (const sparsity of [0, 1]) {
    const { model, report } = await magnitude(await net(), { sparsity });
    assert.is(report.figures.sparsity, sparsity);
    const { data } = (await model.forward([
      { data: new Float32Array(kSize * kSize), shape: [1, 1, kSize, kSize] },
    ])) as { data: Float32Array };
    assert.ok(data.every(Number.isFinite));
  }
});

test('forward passes numbers on as they are, and an empty batch gives an empty answer', async () => {
  const model = await net();
  const { shape } = (await model.forward([{ data: new Float32Array(0), shape: [0, 1, kSize, kSize] }])) as {
    shape: number[];
  };
  assert.equal(shape, [0, 4]);
});

test('a training whose weights grow too large ends with the step, the layer and a checkpoint of the state before', async () => {
  const file = path.join(folder, 'diverged.checkpoint');
  const options = {
    domain: await Domain.open({ name: 'odd', fit: await dataset(60), report: await dataset(8) }),
    epochs: 3,
    batchSize: 64,
    optimizer: { learningRate: 1e30, momentum: 0, nesterov: false },
  };
  const run = () => supervised(net1, { ...options, checkpoint: { path: file } });
  const net1 = await net();
  const error = await refused('ERR_DIVERGED', run());
  const { step, layer, checkpoint } = error.details as KnownDetails['ERR_DIVERGED'];
  assert.ok(step >= 0 && typeof layer === 'string' && layer.length > 0, error.message);
  assert.is(checkpoint, file);
  assert.ok(fs.existsSync(file));
  // What was kept is whole and of before the bad step: the run goes on from it, into the same step.
  const again = await refused('ERR_DIVERGED', supervised(net1, { ...options, resume: file }));
  assert.is((again.details as KnownDetails['ERR_DIVERGED']).step, step);
});

test('without a checkpoint the network of right before the bad step is in the error, to be saved', async () => {
  const given = await net();
  const error = await refused(
    'ERR_DIVERGED',
    supervised(given, {
      domain: await domain(60),
      epochs: 3,
      batchSize: 64,
      optimizer: { learningRate: 1e30, momentum: 0, nesterov: false },
    }),
  );
  const { step, checkpoint, model } = error.details as KnownDetails['ERR_DIVERGED'];
  assert.is(checkpoint, undefined);
  assert.instance(model, Model);
  const file = path.join(folder, 'before.pt');
  await (model as Model).save(file);
  const { manifest, digest } = await (await Model.load(file)).inspect();
  const { divergedAt, method } = (manifest.methods as { [key: string]: unknown }[]).at(-1) ?? {};
  assert.equal({ method, divergedAt }, { method: 'train.supervised', divergedAt: step });
  assert.is(digest, (await (model as Model).inspect()).digest);
  // The first step makes weights too large for the second.
  assert.is(step, 1);
  assert.is.not(digest, (await given.inspect()).digest);
  await (model as Model).dispose();
});

test.run();
