import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { npyHeader } from '../lib/data/npy.js';
import { Dataset } from '../lib/dataset.js';
import { Domain } from '../lib/domain.js';
import type { ErrorCode, ErrorFacts } from '../lib/errors.js';
import { temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';
import { kClasses, tinyDataset } from './support/tiny.js';

const folder = temporaryFolder();

async function refusal(code: ErrorCode, body: Promise<unknown>): Promise<Error & ErrorFacts> {
  const error = await body.then(
    () => new Error('it was accepted'),
    (thrown) => thrown,
  );
  assert.is((error as ErrorFacts).code, code, String(error));
  return error as Error & ErrorFacts;
}

// Grey images of one value each: enough to tell where they came from.
function writeRole(at: string, role: string, count: number, shape: number[]): void {
  const bytes = shape.reduce((a, b) => a * b, 1);
  const data = Buffer.alloc(count * bytes);
  for (let i = 0; i < count; i++) data.fill((i * 7) % 256, i * bytes, (i + 1) * bytes);
  const labels = Buffer.from(Array.from({ length: count }, (_, i) => i % 10));
  fs.mkdirSync(at, { recursive: true });
  fs.writeFileSync(path.join(at, `${role}-images.npy`), Buffer.concat([npyHeader([count, ...shape]), data]));
  fs.writeFileSync(path.join(at, `${role}-labels.npy`), Buffer.concat([npyHeader([count]), labels]));
}

function writeSample(name: string, shape: number[]): void {
  const at = path.join(folder, 'data', name);
  const counts = { fit: 100, report: 20 };
  const roles = Object.fromEntries(
    Object.entries(counts).map(([role, count]) => {
      writeRole(at, role, count, shape);
      return [role, { images: `${role}-images.npy`, labels: `${role}-labels.npy`, count }];
    }),
  );
  fs.writeFileSync(path.join(at, 'domain.json'), JSON.stringify({ name, classes: 10, shape, ...roles }));
}

test('a dataset from numbers tells length, shape and classes, and copies what it is given', async () => {
  const data = new Float32Array(6 * 3).fill(0.25);
  const dataset = await Dataset.from({ data, shape: [6, 3], labels: new Int32Array([0, 1, 2, 0, 1, 2]) });
  assert.equal([dataset.length, dataset.shape, dataset.classes], [6, [3], 3]);
  const before = await dataset.digest();
  data.fill(9);
  const same = await Dataset.from({
    data: new Float32Array(18).fill(0.25),
    shape: [6, 3],
    labels: new BigInt64Array([0n, 1n, 2n, 0n, 1n, 2n]),
  });
  assert.is(await same.digest(), before);
});

test('what is wrong with numbers is told by name', async () => {
  const good = { data: new Uint8Array(4), shape: [2, 2], labels: [0, 1] };
  assert.match(
    (await refusal('ERR_INVALID_ARG_TYPE', Dataset.from({ ...good, labels: ['0', '1'] as never }))).message,
    'labels[0]',
  );
  assert.match(
    (await refusal('ERR_OUT_OF_RANGE', Dataset.from({ ...good, labels: [0, -1] }))).message,
    'labels[1]',
  );
  assert.match(
    (await refusal('ERR_INVALID_ARG_TYPE', Dataset.from({ ...good, shape: [2, 3] }))).message,
    'data',
  );
  assert.match(
    (await refusal('ERR_INVALID_ARG_TYPE', Dataset.from({ ...good, data: [1, 2] as never }))).message,
    'TypedArray',
  );
  await refusal('ERR_DATA_INVALID', Dataset.from({ ...good, labels: [0] }));
  await refusal('ERR_DATA_INVALID', Dataset.from({ ...good, labels: [0, 5], classes: 2 }));
});

test('split, take and resize are views with their own length, shape and digest', async () => {
  const dataset = await tinyDataset(100);
  const parts = await dataset.split([0.7, 0.3], { seed: 1 });
  assert.equal(
    parts.map(({ length }) => length),
    [70, 30],
  );
  const taken = await dataset.take(20, { seed: 1, stratified: true });
  assert.is(taken.length, 20);
  assert.is(await taken.digest(), await (await dataset.take(20, { seed: 1, stratified: true })).digest());
  assert.is.not(await taken.digest(), await (await dataset.take(20, { seed: 2, stratified: true })).digest());
  const wide = dataset.resize({ size: 8, channels: 3 });
  assert.equal(wide.shape, [3, 8, 8]);
  assert.is.not(await wide.digest(), await dataset.digest());
  await dataset.dispose();
  assert.is(wide.length, 100);
  assert.match(await wide.digest(), /^[0-9a-f]{64}$/);
  await refusal('ERR_DISPOSED', dataset.digest());
  assert.throws(
    () => dataset.resize({ size: 4 }),
    (error: ErrorFacts) => error.code === 'ERR_DISPOSED',
  );
});

test('files are opened by what they hold', async () => {
  writeRole(path.join(folder, 'files'), 'fit', 12, [1, 4, 4]);
  const at = (name: string) => path.join(folder, 'files', name);
  const source = { images: at('fit-images.npy'), labels: at('fit-labels.npy') };
  const dataset = await Dataset.open(source);
  assert.equal([dataset.length, dataset.shape, dataset.classes], [12, [1, 4, 4], 10]);
  assert.equal((await Dataset.open(source, { size: 8, classes: 11 })).shape, [1, 8, 8]);
  const missing = { ...source, labels: at('none.npy') };
  assert.match((await refusal('ERR_IO', Dataset.open(missing))).message, at('none.npy'));
  await refusal('ERR_DATA_INVALID', Dataset.open({ ...source, labels: source.images }));
  for (const wrong of [7, { images: 'x' }, null]) {
    const error = await refusal('ERR_INVALID_ARG_TYPE', Dataset.open(wrong as never));
    assert.match(error.message, 'expected a path or { images, labels } for source, received');
  }
});

test('a domain holds a tenth of fit out for select, by content', async () => {
  const fit = await tinyDataset(200);
  const domain = await Domain.open({ name: 'own', fit, report: await tinyDataset(20) });
  assert.equal([domain.name, domain.classes, domain.shape], ['own', kClasses, [1, 16, 16]]);
  assert.equal(domain.roles, ['fit', 'select', 'report']);
  await domain.dispose();
  assert.is(fit.length, 200);
  assert.match(await fit.digest(), /./);
});

test('select may be a fraction, nothing, or data of its own', async () => {
  const [fit, own] = [await tinyDataset(200), await tinyDataset(40)];
  assert.equal((await Domain.open({ name: 'a', fit, select: 0 })).roles, ['fit']);
  assert.equal((await Domain.open({ name: 'b', fit, select: 0.5 })).roles, ['fit', 'select']);
  assert.equal((await Domain.open({ name: 'c', select: own })).roles, ['select']);
  assert.equal((await Domain.open({ name: 'd', report: own })).roles, ['report']);
  await refusal('ERR_INVALID_ARG_TYPE', Domain.open({ name: 'e', select: 0.5, report: own }));
  await refusal('ERR_OUT_OF_RANGE', Domain.open({ name: 'f', fit, select: 1 }));
});

test('what a domain cannot be is refused by name', async () => {
  const fit = await tinyDataset(40);
  assert.match((await refusal('ERR_INVALID_ARG_TYPE', Domain.open({ fit } as never))).message, 'name');
  assert.match(
    (await refusal('ERR_INVALID_ARG_TYPE', Domain.open({ name: 'x', fit: 7 } as never))).message,
    'fit',
  );
  assert.match(
    (await refusal('ERR_INVALID_ARG_TYPE', Domain.open({ name: 'x', fitt: fit } as never))).message,
    "did you mean 'fit'",
  );
  await refusal('ERR_DATA_INVALID', Domain.open({ name: 'none' }));
  const other = fit.resize({ size: 8 });
  assert.match(
    (await refusal('ERR_DATA_INVALID', Domain.open({ name: 'mixed', fit, report: other }))).message,
    'mixed',
  );
});

test('samples come in one shape, so that one model fits all', async () => {
  // The folders where samples are sought, so that what the machine has of its own is not found.
  Object.assign(process.env, { ESPALIER_DATA: path.join(folder, 'data'), XDG_CACHE_HOME: folder });
  process.chdir(folder);
  writeSample('mnist', [1, 28, 28]);
  writeSample('optdigits', [1, 28, 28]);
  writeSample('mnist-m', [3, 28, 28]);
  for (const name of ['mnist', 'optdigits', 'mnist-m'] as const) {
    const domain = await Domain.sample(name);
    assert.equal([domain.name, domain.classes, domain.shape], [name, 10, [3, 32, 32]]);
    assert.equal(domain.roles, ['fit', 'select', 'report']);
  }
  assert.equal((await Domain.sample('mnist', { channels: 1, size: 28 })).shape, [1, 28, 28]);
  assert.equal((await Domain.sample('mnist', { channels: 1, size: 14 })).shape, [1, 14, 14]);
  await refusal('ERR_INVALID_ARG_TYPE', Domain.sample('cifar' as never));
  assert.match(
    (await refusal('ERR_DATA_INVALID', Domain.sample('fashion'))).message,
    'espalier data fashion',
  );
});

test.run();
