import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Dataset, Domain, isEspalierError, Model, prune, type Tensor, train } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, logitsOf, smallNet, zerosOf } from './support.js';

const folder = temporaryFolder();
const quick = { epochs: 4, batchSize: 32, threads: 1 } as const;
const code = (expected: string) => (error: unknown) => isEspalierError(error) && error.code === expected;

async function bytesOf(model: Model): Promise<string> {
  const file = path.join(folder, 'bytes.pt');
  await model.save(file, { manifest: 'none' });
  return fs.readFileSync(file).toString('base64');
}

// Signs of 5 x 5 pixels anywhere in an image, in any two shades: what is easily seen of them is not the sign.
const kSize = 16;
const signs = [
  '..#....#..#####..#....#..',
  '#...#.#.#...#...#.#.#...#',
  '######...##...##...######',
  '..#...#.#.#...#.#.#...#..',
].map((sign) => [...sign].map((mark) => mark === '#'));

function pictures(count: number, seed: number) {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const data = new Uint8Array(count * kSize * kSize);
  const labels: number[] = [];
  for (let i = 0; i < count; i++) {
    const label = i % signs.length;
    labels.push(label);
    const [top, left] = [Math.floor(random() * 10), Math.floor(random() * 10)];
    const paper = random() * 120;
    const ink = paper + 50 + random() * (205 - paper - 20);
    for (let at = 0; at < kSize * kSize; at++) {
      const [y, x] = [Math.floor(at / kSize) - top, (at % kSize) - left];
      const marked = y >= 0 && y < 5 && x >= 0 && x < 5 && signs[label]?.[y * 5 + x];
      data[i * kSize * kSize + at] = (marked ? ink : paper) + random() * 20;
    }
  }
  return { data, labels, shape: [count, 1, kSize, kSize] };
}

const classes = 32; // as many as the encoder has features: the classifier is then a change of coordinates
const encoder = () =>
  Model.create('convnet', { classes, inChannels: 1, inputSize: kSize, widths: [8, 16, 16], seed: 4 });

// A linear classifier on what the model tells of images, by ridge regression on one-hot labels.
async function probe(model: Model, fit: ReturnType<typeof pictures>, test: ReturnType<typeof pictures>) {
  const rows = async ({ data, shape }: ReturnType<typeof pictures>) => {
    const input = { data: Float32Array.from(data, (byte) => byte / 255), shape };
    const {
      data: values,
      shape: [count],
    } = (await logitsOf(model, input)) as Tensor & { data: Float32Array };
    return Array.from({ length: count as number }, (_, i) => [
      ...values.subarray(i * classes, (i + 1) * classes),
      1,
    ]);
  };
  const [known, asked] = [await rows(fit), await rows(test)];
  const size = classes + 1;
  const scale = known.reduce((sum, row) => sum + row.reduce((all, each) => all + each * each, 0), 0) / size;
  // Gauss: [X'X + c I | X'Y].
  const system = Array.from({ length: size }, (_, i) => [
    ...Array.from(
      { length: size },
      (_, j) => known.reduce((sum, row) => sum + row[i]! * row[j]!, 0) + (i === j ? scale * 1e-4 : 0),
    ),
    ...signs.map((_, k) => known.reduce((sum, row, n) => sum + (fit.labels[n] === k ? row[i]! : 0), 0)),
  ]);
  for (let i = 0; i < size; i++) {
    const pivot = system
      .slice(i)
      .reduce((best, row) => (Math.abs(row[i]!) > Math.abs(best[i]!) ? row : best));
    system.splice(system.indexOf(pivot), 1);
    system.splice(i, 0, pivot);
    for (const row of system) {
      if (row === pivot) continue;
      const factor = row[i]! / pivot[i]!;
      for (let j = i; j < row.length; j++) row[j] = row[j]! - factor * pivot[j]!;
    }
  }
  const hits = asked.filter((row, n) => {
    const scores = signs.map((_, k) =>
      row.reduce((sum, each, i) => sum + (each * system[i]![size + k]!) / system[i]![i]!, 0),
    );
    return scores.indexOf(Math.max(...scores)) === test.labels[n];
  });
  return hits.length / asked.length;
}

test('a linear classifier reads more from the trained encoder than from a random one', async () => {
  const fit = await Dataset.from({ ...pictures(768, 1), classes: signs.length });
  const random = await encoder();
  const before = await bytesOf(random);
  const { model, report } = await train.contrastive(random, {
    domain: await Domain.open({ name: 'signs', fit }),
    epochs: 60,
    batchSize: 128,
    optimizer: { learningRate: 0.01 },
    augmentation: { shift: 4, jitter: 0.6, crop: 1 },
    seed: 1,
  });
  assert.equal(await bytesOf(random), before);
  const [few, many] = [pictures(80, 2), pictures(800, 3)];
  const [untrained, trained] = [await probe(random, few, many), await probe(model, few, many)];
  assert.ok(trained > untrained + 0.2, `${untrained} before, ${trained} after`);
  const { figures } = report;
  assert.equal(figures.epochs.length, 60);
  // A tenth is held out; the last of six batches is not full.
  assert.equal(figures.steps, 60 * 5);
  assert.equal(figures.negatives, 254);
  assert.equal(figures.features, 16);
  const [first, last] = [figures.epochs[0], figures.epochs.at(-1)];
  assert.ok(first && last && last.loss < first.loss - 0.3 && last.matched > 4 * first.matched);
});

test('labels are not read', async () => {
  const once = async (change: (label: number) => number) => {
    const { data, shape, labels } = pictures(128, 1);
    const fit = await Dataset.from({ data, shape, labels: labels.map(change), classes: 40 });
    // More classes than the model has outputs.
    const { model } = await train.contrastive(await encoder(), {
      domain: await Domain.open({ name: 'signs', fit }),
      ...quick,
    });
    return await bytesOf(model);
  };
  assert.equal(await once((label) => label), await once((label) => 39 - 7 * label));
});

test('the same seed gives the same bytes, another one does not', async () => {
  const domain = await brightness();
  const once = async (seed: number) =>
    await bytesOf((await train.contrastive(await smallNet(), { domain, ...quick, seed })).model);
  assert.equal(await once(3), await once(3));
  assert.notEqual(await once(3), await once(4));
});

test('the classifier is drawn anew, of a pruned model with its zeros', async () => {
  const domain = await brightness();
  const { model } = await prune.magnitude(await smallNet(), { sparsity: 0.5 });
  const before = await zerosOf(model);
  const { model: trained, report } = await train.contrastive(model, { domain, ...quick });
  assert.deepEqual(await zerosOf(trained), before);
  assert.ok(Math.abs(report.figures.sparsity - 0.5) < 0.01);
  const freed = await train.contrastive(model, { domain, ...quick, keepZeros: false });
  assert.ok(freed.report.figures.sparsity < 0.1);
  const classifier = report.figures.classifier;
  assert.equal(classifier, model.layers.filter(({ prunable }) => prunable).at(-1)?.path);
  assert.equal((await zerosOf(freed.model)).get(`${classifier}.weight`), 0);
});

test('bfloat16 trains', async () => {
  const { report } = await train.contrastive(await smallNet(), {
    domain: await brightness(),
    ...quick,
    epochs: 8,
    precision: 'bfloat16',
  });
  const { epochs } = report.figures;
  assert.ok((epochs.at(-1)?.loss ?? 9) < (epochs[0]?.loss ?? 0), JSON.stringify(epochs));
});

test('what cannot be trained is refused by name', async () => {
  const domain = await brightness();
  const off = { flip: false, jitter: 0, crop: 1 };
  const refused = async (options: object, expected: string, message: RegExp) => {
    const run = async () => await train.contrastive(await smallNet(), { domain, ...quick, ...options });
    await assert.rejects(run, (error) => {
      assert.match((error as Error).message, message);
      return code(expected)(error);
    });
  };
  await refused({ augmentation: off }, 'ERR_OUT_OF_RANGE', /at least one random change in augmentation/);
  await refused({ batchSize: 200 }, 'ERR_DATA_INVALID', /at least 200 samples/);
  await refused({ batchSize: 1 }, 'ERR_OUT_OF_RANGE', />= 2/);
  const rows = await Dataset.from({
    data: Float32Array.from({ length: 64 * 3 }, (_, i) => i),
    shape: [64, 3],
    labels: Array(64).fill(0),
  });
  const table = await Domain.open({ name: 'table', fit: rows });
  await refused({ domain: table }, 'ERR_DATA_INVALID', /samples \[C, H, W\] in domain table/);
});

test.run();
