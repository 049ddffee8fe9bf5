import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {
  authorize,
  Dataset,
  Domain,
  evaluate,
  isEspalierError,
  Model,
  prune,
  train,
} from '../../lib/index.js';
import { renderHtml, renderTable } from '../../lib/report/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, smallNet } from './support.js';

const folder = temporaryFolder();
const quick = {
  counts: [16, 96],
  steps: 20,
  stepFactors: [0.5, 2],
  batchSize: 16,
  learningRate: 1e-2,
  threads: 1,
};
const few = { ...quick, attacks: ['fine-tune', 'release-mask'] as ('fine-tune' | 'release-mask')[] };
const kSlow = { timeoutMs: 120_000 };

// The brightness images the other way round: the same task, other pixels.
async function negative(): Promise<Domain> {
  const size = 8;
  const data = new Uint8Array(240 * size * size);
  const labels: number[] = [];
  let state = 777;
  for (let i = 0; i < 240; i++) {
    labels.push(i % 4);
    for (let k = 0; k < size * size; k++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      data[i * size * size + k] = 255 - ((i % 4) * 50 + ((state >>> 16) % 40));
    }
  }
  const all = await Dataset.from({ data, shape: [240, 1, size, size], labels, classes: 4 });
  const [fit, select, report] = (await all.split([0.6, 0.2, 0.2], { seed: 1 })) as [
    Dataset,
    Dataset,
    Dataset,
  ];
  return await Domain.open({ name: 'negative', fit, select, report });
}

async function protectedPair(changes: object = {}) {
  const [source, target] = [await brightness(), await negative()];
  const { model } = await train.supervised(await smallNet(), { domain: source, epochs: 8, batchSize: 16 });
  const { model: locked, report: protecting } = await authorize.nonTransferablePruning(model, {
    source,
    target,
    sparsity: 0.5,
    iterations: 4,
    stepsPerIteration: 5,
    polishSteps: 10,
    batchSize: 16,
    refreshBatches: 4,
    sourceFloor: 0.5,
    seed: 3,
    ...changes,
  });
  return { source, target, model, locked, protecting };
}

test(
  'every attack runs at every number of samples, beside scratch, the original and both controls',
  async () => {
    const { source, target, model, locked } = await protectedPair();
    const { report } = await evaluate.authorization(model, locked, {
      source,
      target,
      others: [await brightness(240, 4, 'other')],
      reportSamples: 40,
      ...quick,
    });
    const { figures } = report;
    assert.equal(figures.attacks.length, 13);
    for (const { attack, courses } of [
      { attack: 'scratch', courses: figures.scratch },
      figures.original,
      ...figures.attacks,
    ]) {
      assert.deepEqual(
        courses.map(({ samples }) => samples),
        [16, 96],
        attack,
      );
      for (const { readings } of courses)
        assert.ok(
          readings.every(({ accuracy }) => accuracy.samples === 40),
          attack,
        );
    }
    assert.deepEqual(
      figures.scratch[0]?.readings.map(({ steps }) => steps),
      [10, 20, 40],
    );
    assert.equal(figures.method, 'authorize.nonTransferablePruning');
    assert.deepEqual(
      figures.controls.map(({ control, notRun }) => [control, notRun]),
      [
        ['magnitude', null],
        ['terms-off', null],
      ],
    );
    for (const { sparsity } of figures.controls) assert.ok(Math.abs(sparsity - figures.sparsity) < 0.01);
    assert.deepEqual(figures.matrix.models, ['original', 'protected', 'magnitude', 'terms-off']);
    assert.deepEqual(figures.matrix.domains, ['brightness', 'negative', 'other']);
    const at = async (of: Model, domain: Domain) =>
      (await evaluate.accuracy(of, { domain })).report.figures.accuracy;
    assert.equal(figures.matrix.cells[0]?.[0]?.accuracy, await at(model, source));
    assert.equal(figures.matrix.cells[1]?.[1]?.accuracy, await at(locked, target));
    // The matrix is of all report data, whatever the attacks are measured on.
    assert.equal(figures.matrix.cells[0]?.[1]?.samples, 48);
    assert.equal(figures.unseen[0]?.domain, 'other');
    assert.equal(typeof figures.unseen[0]?.areaHeld, 'number');
    // Labels cost nothing to whoever only takes statistics.
    const statistics = figures.attacks.find(({ attack }) => attack === 'batch-norm-adaptation');
    assert.equal(statistics?.courses[0]?.labels, 0);
  },
  kSlow,
);

test(
  'areas, factors and the verdict follow from the readings',
  async () => {
    const { source, target, model, locked } = await protectedPair();
    const { figures } = (await evaluate.authorization(model, locked, { source, target, ...few })).report;
    const reading = (courses: typeof figures.scratch, i: number, steps: number) =>
      courses[i]?.readings.find((at) => at.steps === steps)?.accuracy as {
        accuracy: number;
        interval: number[];
      };
    const factors: number[] = [];
    for (const { courses, areas } of [figures.original, ...figures.attacks]) {
      for (const { steps, ln } of areas) {
        const gap = (i: number) =>
          reading(courses, i, steps).accuracy - reading(figures.scratch, i, steps).accuracy;
        assert.ok(Math.abs(ln - ((gap(0) + gap(1)) / 2) * Math.log(96 / 16)) < 1e-12);
      }
      assert.deepEqual(
        areas.map(({ steps }) => steps),
        [10, 20, 40],
      );
      courses.forEach(({ readings, costFactor }, i) => {
        const scratch = reading(figures.scratch, i, 20);
        const won = readings.find(({ accuracy }) => accuracy.accuracy >= scratch.accuracy);
        const expected = (scratch.interval[0] ?? 0) > 0.5 && won !== undefined ? won.steps / 20 : null;
        assert.equal(costFactor, expected);
        if (courses !== figures.original.courses && expected !== null) factors.push(expected);
      });
    }
    assert.ok(factors.length > 0, 'the case must have a winning attack');
    const least = Math.min(...factors);
    assert.equal(figures.verdict.cheapest?.costFactor, least);
    assert.equal(figures.verdict.outcome, least > 1 ? 'delays' : 'fails');
  },
  kSlow,
);

test(
  'a control that cannot run is named with its reason',
  async () => {
    const { source, target, model, locked } = await protectedPair();
    const file = path.join(folder, 'locked.pt');
    await locked.save(file);
    const options = { source, target, ...few, counts: [48] };
    const [, whole] = (await evaluate.authorization(model, await Model.load(file), options)).report.figures
      .controls;
    assert.equal(whole?.notRun, null);
    fs.rmSync(`${file}.manifest.json`);
    const { report } = await evaluate.authorization(model, await Model.load(file), options);
    const [magnitude, alone] = report.figures.controls;
    assert.equal(magnitude?.notRun, null);
    assert.match(alone?.notRun ?? '', /does not say how it was protected: .*manifest\.json/);
    assert.deepEqual(report.figures.matrix.models, ['original', 'protected', 'magnitude']);
    const { report: dense } = await evaluate.authorization(model, model, options);
    assert.match(dense.figures.controls[0]?.notRun ?? '', /no zero weights/);
    assert.match(renderTable(report), /terms off was not run:\s.*manifest\.json/s);
  },
  kSlow,
);

test(
  'one thread and a stopped run give the same figures',
  async () => {
    const { source, target, model, locked } = await protectedPair();
    const options = { source, target, ...few };
    const seconds = (figures: object) =>
      JSON.stringify(figures, (key, value) => (key === 'seconds' ? undefined : value));
    const { figures } = (await evaluate.authorization(model, locked, options)).report;
    const file = path.join(folder, 'authorization.checkpoint');
    const run = evaluate.authorization(model, locked, { ...options, checkpoint: { path: file } });
    await assert.rejects(async () => {
      for await (const { fraction } of run) if (fraction > 0.3) run.cancel(new Error('enough'));
      throw new Error('it was over before it could be stopped');
    }, /enough/);
    const resumed = await evaluate.authorization(model, locked, { ...options, resume: file });
    assert.equal(seconds(resumed.report.figures), seconds(figures));
  },
  kSlow,
);

test('refuses one domain as both, more samples than there are, and other classes', async () => {
  const source = await brightness();
  const target = await negative();
  const model = await smallNet();
  const refused = async (code: string, words: RegExp, run: PromiseLike<unknown>) =>
    await assert.rejects(
      async () => await run,
      (error) => isEspalierError(error) && error.code === code && words.test(error.message),
    );
  await refused(
    'ERR_INVALID_ARG_TYPE',
    /two domains/,
    evaluate.authorization(model, model, { source, target: source }),
  );
  await refused(
    'ERR_OUT_OF_RANGE',
    /1 to 144 samples.*negative.*received 5000/,
    evaluate.authorization(model, model, { source, target, counts: [5000] }),
  );
  await refused(
    'ERR_DATA_INVALID',
    /classes/,
    evaluate.authorization(model, model, { source, target: await brightness(120, 3, 'three') }),
  );
});

test(
  'the report says in words what it found',
  async () => {
    const { source, target, model } = await protectedPair();
    const { model: sparse } = await prune.magnitude(model, { sparsity: 0.5 });
    const { report } = await evaluate.authorization(model, sparse, { source, target, ...few });
    const words = renderTable(report);
    assert.match(
      words,
      /(fails on negative|delays, and does not prevent: on negative|No attack that was tried)/,
    );
    assert.match(words, /costs its owner -?[\d.]+ points\s+of\s+accuracy\s+on\s+brightness/);
    assert.match(words, /Magnitude pruning/);

    // One row of pictures, an attack each, all on one scale.
    const page = await renderHtml(report);
    const pair = page.split('class="pair"').find((part) => part.includes('Fine-tuning, mask held</h3>'));
    assert.ok(pair?.includes('Fine-tuning, mask released</h3>'));
  },
  kSlow,
);

test(
  'where scratch has learnt nothing there is no verdict, whatever was reached',
  async () => {
    const { source, target, model, locked } = await protectedPair();
    const options = { source, target, ...few, steps: 1, stepFactors: [1], learningRate: 1e-6 };
    const { report } = await evaluate.authorization(model, locked, options);
    const { outcome, cheapest, comparable } = report.figures.verdict;
    assert.deepEqual(
      { outcome, cheapest, comparable },
      { outcome: 'unknown', cheapest: null, comparable: 0 },
    );
    const words = renderTable(report);
    assert.match(words, /Nothing can be said/);
    assert.match(words, /^Verdict +unknown/m);
    assert.doesNotMatch(words, /holds|none wins/);
  },
  kSlow,
);

test(
  'a warning of a control says whose it is',
  async () => {
    // Cuts less than it is asked for, with its protecting terms and without.
    const soft = { zUpdate: 'l1', l1: 1e-5, rho: 0.01 };
    const { source, target, model, locked, protecting } = await protectedPair(soft);
    assert.match(protecting.warnings.join(), /^a sparsity of/);
    const options = { source, target, ...few, counts: [16], steps: 2, stepFactors: [1] };
    const { warnings } = (await evaluate.authorization(model, locked, options)).report;
    assert.match(warnings.join(), /^in its run of authorize\.nonTransferablePruning: a sparsity of/);
  },
  kSlow,
);

test(
  'the report of the protecting run draws every term, the residuals and the frontier',
  async () => {
    const { protecting: report } = await protectedPair();
    const trial = { sourceAccuracy: 0.9, holdsFloor: true, attackedAccuracy: 0.4, chosen: false };
    const frontier = [
      { ...trial, strength: 1 },
      { ...trial, strength: 2, chosen: true },
    ];
    const iterations = report.figures.iterations.map((row) => ({
      ...row,
      fisherRatio: 0.1,
      discrepancy: 0.2,
    }));
    const figures = { ...report.figures, frontier, iterations };
    const page = await renderHtml({ ...report, figures });
    for (const title of ['Losses', 'Fisher ratio of the target', 'Discrepancy', 'Gate', 'ADMM', 'Frontier'])
      assert.match(page, new RegExp(`<h3>${title}`));
    assert.match(page, /× 2</);
  },
  kSlow,
);

test.run();
