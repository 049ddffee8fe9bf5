import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {
  authorize,
  Dataset,
  Domain,
  evaluate,
  isEspalierError,
  Key,
  Model,
  prune,
  train,
} from '../../lib/index.js';
import { renderHtml, renderTable } from '../../lib/report/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, smallNet, stripes } from './support.js';

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

// A task whose target looks much like its source, so that without protection it is served too.
async function stripedTask() {
  const source = await stripes();
  const target = await stripes(240, { name: 'pale stripes', contrast: 90 });
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
    labelSmoothing: 0.2,
    optimizer: { kind: 'adam', learningRate: 5e-3 },
  });
  return { source, target, model };
}
const binding = { batchSize: 16, readings: 4, sourceFloor: 0.1, seed: 3, threads: 1 };

// What it says of the binding follows from accuracies and from the manifest.
async function checkBinding(
  { source, target, model }: { source: Domain; target: Domain; model: Model },
  locked: Model,
  figures: Awaited<ReturnType<typeof evaluate.authorization>>['report']['figures'],
) {
  const at = async (of: Model, domain: Domain) =>
    (await evaluate.accuracy(of, { domain })).report.figures.accuracy;
  for (const [domain, change] of [
    [source, figures.binding.source],
    [target, figures.binding.target],
  ] as const) {
    assert.equal(change.before.accuracy, await at(model, domain));
    assert.equal(change.after.accuracy, await at(locked, domain));
    assert.ok(Math.abs(change.lost - (change.before.accuracy - change.after.accuracy)) < 1e-12);
    const [low = 1, high = -1] = change.interval;
    assert.ok(low <= change.lost && change.lost <= high, JSON.stringify(change));
  }
  assert.ok(Math.abs(figures.binding.source.lost - figures.verdict.sourceDrop) < 1e-12);
  const area = (name: string) =>
    figures.attacks.find(({ attack }) => attack === name)?.areas.find(({ steps }) => steps === figures.steps)
      ?.ln;
  assert.equal(figures.binding.areaHeld, area('fine-tune'));
  assert.equal(figures.binding.areaReleased, area('release-mask') ?? area('fine-tune'));
}

test(
  'a model bound by non-transferable learning is attacked as one without zeros, beside the same run at alpha 0',
  async () => {
    const task = await stripedTask();
    const { source, target, model } = task;
    const { model: locked } = await authorize.nonTransferableLearning(model, {
      variant: 'targetSpecified',
      source,
      target,
      ...binding,
      steps: 120,
      learningRate: 5e-3,
      control: false,
    });
    const { figures } = (await evaluate.authorization(model, locked, { source, target, ...quick })).report;
    assert.equal(figures.method, 'authorize.nonTransferableLearning');
    assert.equal(figures.sparsity, 0);
    assert.equal(figures.attacks.length, 10);
    assert.deepEqual(
      figures.leftOut.map(({ attack }) => attack),
      ['release-mask', 'fresh-head-released', 'redensify'],
    );
    const [magnitude, alone] = figures.controls;
    assert.match(magnitude?.notRun ?? '', /no zero weights/);
    assert.equal(alone?.notRun, null);
    assert.equal(alone?.sparsity, 0);
    assert.equal(alone?.areaHeld, alone?.areaReleased);
    assert.deepEqual(figures.matrix.models, ['original', 'protected', 'terms-off']);
    // Its target is what it keeps without the protecting term.
    const onTarget = figures.matrix.cells.map(([, cell]) => cell?.accuracy ?? 0);
    assert.ok((onTarget[2] ?? 0) > (onTarget[1] ?? 1) + 0.1, JSON.stringify(onTarget));
    await checkBinding(task, locked, figures);
    assert.deepEqual(figures.binding.data, { source: 192, target: 192, targetLabels: true });
    assert.ok((figures.binding.seconds ?? 0) > 0);
    assert.equal(figures.binding.revocable, false);
  },
  kSlow,
);

test(
  'a model bound by mask pruning has both controls, and can be taken back; without its manifest nothing tells',
  async () => {
    const task = await stripedTask();
    const { source, target, model } = task;
    const { model: locked, mask } = await authorize.maskPruning(model, {
      variant: 'sourceAvailable',
      source,
      target,
      ...binding,
      steps: 200,
      learningRate: 1e-3,
      targetLabels: 'pseudo',
      controls: false,
    });
    const file = path.join(folder, 'masked.pt');
    await locked.save(file);
    const judge = async (of: Model) =>
      (await evaluate.authorization(model, of, { source, target, ...few })).report.figures;
    const figures = await judge(await Model.load(file));
    assert.equal(figures.method, 'authorize.maskPruning');
    assert.deepEqual(
      [figures.leftOut, figures.controls.map(({ control, notRun }) => [control, notRun])],
      [
        [],
        [
          ['magnitude', null],
          ['terms-off', null],
        ],
      ],
    );
    // The mask that is learned with lambda 0 cuts for its own ends; by magnitude as many weights go.
    assert.ok(Math.abs((figures.controls[0]?.sparsity ?? 0) - figures.sparsity) < 0.01);
    await checkBinding(task, locked, figures);
    assert.deepEqual(figures.binding.data, { source: 192, target: 192, targetLabels: false });
    assert.ok((figures.binding.seconds ?? 0) > 0);
    assert.equal(figures.binding.revocable, true);
    assert.ok(!fs.readFileSync(file, 'latin1').includes('"seconds"'));

    // The same weights behind a lock: what locked them is known, and not what chose the mask.
    const { model: shut } = await authorize.applyMask(model, mask);
    const behind = await judge(shut);
    assert.equal(behind.binding.revocable, true);
    assert.match(behind.controls[1]?.notRun ?? '', /authorize\.applyMask has no form without/);

    fs.rmSync(`${file}.manifest.json`);
    const blind = await judge(await Model.load(file));
    const { data, seconds, revocable, areaHeld } = blind.binding;
    assert.deepEqual([data, seconds, revocable], [null, null, null]);
    assert.equal(areaHeld, figures.binding.areaHeld);
  },
  kSlow,
);

test(
  'a mask that was learned without the source is repeated without it',
  async () => {
    const { source, target, model } = await stripedTask();
    const { model: locked } = await authorize.maskPruning(model, {
      variant: 'sourceFree',
      target,
      generator: {
        latent: 16,
        channels: 16,
        steps: 150,
        laterSteps: 30,
        memory: 300,
        confidence: 0.5,
        weightNorm: 1,
      },
      steps: 12,
      readings: 4,
      batchSize: 16,
      learningRate: 4e-3,
      sourceFloor: 1,
      controls: false,
      seed: 3,
      threads: 1,
    });
    const options = { source, target, ...few, counts: [16], steps: 2, stepFactors: [1] };
    const { figures } = (await evaluate.authorization(model, locked, options)).report;
    assert.equal(figures.controls[1]?.notRun, null);
    assert.deepEqual(figures.binding.data, { source: 0, target: 192, targetLabels: false });
    assert.equal(figures.binding.revocable, true);
  },
  kSlow,
);

test(
  'a mark is no barrier that could be repeated without its key; a run that was resumed does not say how long it took',
  async () => {
    const { source, target, model } = await stripedTask();
    const mark = {
      variant: 'ownership' as const,
      source,
      key: await Key.create(),
      ...binding,
      steps: 8,
      control: false,
    };
    const checkpoint = path.join(folder, 'mark.checkpoint');
    await authorize.nonTransferableLearning(model, {
      ...mark,
      checkpoint: { path: checkpoint, everySteps: 4 },
    });
    const { model: marked } = await authorize.nonTransferableLearning(model, { ...mark, resume: checkpoint });
    const options = { source, target, ...few, counts: [16], steps: 2, stepFactors: [1] };
    const { figures } = (await evaluate.authorization(model, marked, options)).report;
    assert.match(
      figures.controls[1]?.notRun ?? '',
      /was run as 'ownership': only as 'targetSpecified' it can be repeated, without a key/,
    );
    assert.deepEqual(figures.binding.data, { source: 192, target: 0, targetLabels: false });
    assert.equal(figures.binding.seconds, null);
    // One number of samples has no area.
    assert.deepEqual([figures.binding.areaHeld, figures.binding.areaReleased], [null, null]);
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
