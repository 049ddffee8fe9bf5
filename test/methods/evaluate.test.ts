import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Domain, evaluate, isEspalierError, train } from '../../lib/index.js';
import { root } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, smallNet } from './support.js';

test('a cell of the matrix is what evaluate.accuracy measures', async () => {
  const domains = [await brightness(), await brightness(160, 4, 'other')];
  const { model: trained } = await train.supervised(await smallNet(), {
    domain: domains[0] as Domain,
    epochs: 4,
    batchSize: 16,
  });
  const models = [await smallNet(), trained];
  const { report } = await evaluate.domains(models, domains, { labels: ['fresh', 'trained'] });
  assert.deepEqual(report.figures.models, ['fresh', 'trained']);
  assert.deepEqual(report.figures.domains, ['brightness', 'other']);
  for (const [row, model] of models.entries()) {
    for (const [column, domain] of domains.entries()) {
      const { report: single } = await evaluate.accuracy(model, { domain });
      assert.deepEqual(report.figures.cells[row]?.[column], single.figures);
    }
  }
});

test('the frozen copy and the plain graph give the same figures', async () => {
  const domain = await brightness();
  const { model } = await train.supervised(await smallNet(), { domain, epochs: 2, batchSize: 16 });
  const fast = (await evaluate.accuracy(model, { domain })).report.figures;
  const plain = (await evaluate.accuracy(model, { domain, optimise: false })).report.figures;
  assert.equal(fast.optimised, true);
  assert.equal(plain.optimised, false);
  assert.deepEqual(fast.confusion, plain.confusion);
  assert.ok(Math.abs(fast.loss - plain.loss) < 1e-5);
});

test('a report names the version that package.json has', async () => {
  const { report } = await evaluate.accuracy(await smallNet(), { domain: await brightness() });
  const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  assert.equal(report.versions.espalier, version);
});

test('figures add up: confusion, per class, interval', async () => {
  const domain = await brightness();
  const { figures } = (await evaluate.accuracy(await smallNet(), { domain })).report;
  const total = figures.confusion.flat().reduce((a, b) => a + b);
  assert.equal(total, figures.samples);
  const right = figures.confusion.reduce((sum, row, i) => sum + (row[i] ?? 0), 0);
  assert.equal(right / total, figures.accuracy);
  const [low, high] = figures.interval as [number, number];
  assert.ok(low <= figures.accuracy && figures.accuracy <= high);
  for (const entry of figures.perClass) {
    assert.equal(
      entry.samples,
      figures.confusion[entry.class]?.reduce((a, b) => a + b),
    );
  }
});

test('a domain without report data is refused by name', async () => {
  const whole = await brightness();
  assert.ok(whole.roles.includes('report'));
  const { data, labels } = { data: new Uint8Array(64 * 8), labels: [0, 1, 2, 3, 0, 1, 2, 3] };
  const { Dataset } = await import('../../lib/index.js');
  const fit = await Dataset.from({ data, shape: [8, 1, 8, 8], labels });
  const domain = await Domain.open({ name: 'training-only', fit, select: fit });
  await assert.rejects(
    async () => await evaluate.accuracy(await smallNet(), { domain }),
    (error) =>
      isEspalierError(error) && error.code === 'ERR_DATA_INVALID' && error.message.includes('training-only'),
  );
});

test.run();
