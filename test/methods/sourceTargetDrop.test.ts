import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Dataset, Domain, evaluate, isEspalierError, type Model, train } from '../../lib/index.js';
import { present } from '../../lib/report/present.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, brightnessParts, logitsOf, smallNet } from './support.js';

const folder = temporaryFolder();
const close = (a: number | null | undefined, b: number) => assert.ok(Math.abs((a ?? Number.NaN) - b) < 1e-12);

// Two that know the domain to different degrees, and domains of other samples of the same kind.
async function setting() {
  const source = await brightness();
  const fit = async (epochs: number) =>
    (await train.supervised(await smallNet(), { domain: source, epochs, batchSize: 16 })).model;
  const targets = [await brightness(400, 4, 'more'), await brightness(160, 3, 'fewer')];
  return { source, targets, knows: await fit(6), forgot: await fit(1) };
}

const accuracyOf = async (model: Model, domain: Domain) =>
  (await evaluate.accuracy(model, { domain })).report.figures;

test('accuracies are those of evaluate.accuracy, and the figures follow from them', async () => {
  const { source, targets, knows, forgot } = await setting();
  const { figures } = (await evaluate.sourceTargetDrop(knows, forgot, { source, target: targets })).report;
  const drops: number[] = [];
  for (const [i, domain] of [source, ...targets].entries()) {
    const measured = [figures.source, ...figures.targets][i] as typeof figures.source;
    const [before, after] = [await accuracyOf(knows, domain), await accuracyOf(forgot, domain)];
    assert.equal(measured.domain, domain.name);
    for (const [answers, expected] of [
      [measured.original, before],
      [measured.protected, after],
    ] as const) {
      assert.equal(answers.accuracy, expected.accuracy);
      assert.deepEqual(answers.interval, expected.interval);
      assert.equal(answers.samples, expected.samples);
    }
    const { both, onlyFirst, onlySecond, neither } = measured.pairs;
    assert.equal(both + onlyFirst + onlySecond + neither, before.samples);
    assert.equal(both + onlyFirst, measured.original.right);
    assert.equal(both + onlySecond, measured.protected.right);
    const drop = (before.accuracy - after.accuracy) / before.accuracy;
    close(measured.drop.value, drop);
    const [low, high] = measured.drop.interval as [number, number];
    assert.ok(low <= drop && drop <= high, JSON.stringify(measured.drop));
    drops.push(drop);
  }
  const [onSource, ...onTargets] = drops as [number, number, number];
  assert.ok(onSource > 0.1 && onTargets.every((drop) => drop > 0.1), drops.join());
  const ratios = onTargets.map((drop) => onSource / drop);
  for (const [i, ratio] of ratios.entries()) close(figures.targets[i]?.sourceTargetDrop.value, ratio);
  const mean = (onTargets[0] + onTargets[1]) / 2;
  close(figures.meanTargetDrop.value, mean);
  close(figures.ratioOfMeans.value, onSource / mean);
  close(figures.meanOfRatios.value, ((ratios[0] ?? 0) + (ratios[1] ?? 0)) / 2);
});

test('who was right is told sample by sample', async () => {
  const { source, knows, forgot } = await setting();
  const count = 60;
  const data = Float32Array.from({ length: count * 64 }, (_, i) => ((i * 7919) % 256) / 255);
  const labels = Array.from({ length: count }, (_, i) => (i * 3) % 4);
  const report = await Dataset.from({ data, shape: [count, 1, 8, 8], labels, classes: 4 });
  const target = await Domain.open({ name: 'noise', report });
  const { figures } = (await evaluate.sourceTargetDrop(knows, forgot, { source, target })).report;
  const rightOf = async (model: Model) => {
    const { data: logits } = await logitsOf(model, { data, shape: [count, 1, 8, 8] });
    return labels.map((label, i) => {
      const row = [...(logits as Float32Array).subarray(4 * i, 4 * i + 4)];
      return row.indexOf(Math.max(...row)) === label;
    });
  };
  const [first, second] = [await rightOf(knows), await rightOf(forgot)];
  const countOf = (a: boolean, b: boolean) => first.filter((is, i) => is === a && second[i] === b).length;
  assert.deepEqual(figures.targets[0]?.pairs, {
    both: countOf(true, true),
    onlyFirst: countOf(true, false),
    onlySecond: countOf(false, true),
    neither: countOf(false, false),
  });
});

test('a model against itself loses nothing, and has no ratio', async () => {
  const { source, targets, knows } = await setting();
  const { report } = await evaluate.sourceTargetDrop(knows, knows, { source, target: targets });
  const { figures } = report;
  assert.deepEqual(figures.source.drop, { value: 0, interval: [0, 0] });
  for (const { drop, sourceTargetDrop } of figures.targets) {
    assert.deepEqual(drop, { value: 0, interval: [0, 0] });
    assert.deepEqual(sourceTargetDrop, { value: null, interval: null });
  }
  assert.deepEqual(figures.ratioOfMeans, { value: null, interval: null });
  assert.deepEqual(figures.meanOfRatios, { value: null, interval: null });
  assert.deepEqual(present(report).highlights[2], {
    label: 'ST-D, ratio of the means',
    value: '–',
    note: 'not defined',
  });
});

// Brightness says the class; `named` what the classes are called.
async function labelled(name: string, named: number[], noise = 7): Promise<Domain> {
  const count = 160;
  const data = Uint8Array.from({ length: count * 64 }, (_, i) => (Math.floor(i / 64) % 4) * 60 + (i % noise));
  const labels = Array.from({ length: count }, (_, i) => named[i % 4] as number);
  const all = await Dataset.from({ data, shape: [count, 1, 8, 8], labels, classes: 4 });
  return await Domain.open({ name, fit: all, report: all });
}

const trained = async (domain: Domain) =>
  (await train.supervised(await smallNet(), { domain, epochs: 12, batchSize: 16 })).model;

test('where one side gained, the ratio is negative', async () => {
  const [plain, swapped] = [await labelled('plain', [0, 1, 2, 3]), await labelled('swapped', [1, 0, 2, 3])];
  const [original, other] = [await trained(plain), await trained(swapped)];
  const { report } = await evaluate.sourceTargetDrop(original, other, { source: swapped, target: plain });
  const { source, targets } = report.figures;
  assert.deepEqual([source.original.accuracy, source.protected.accuracy], [0.5, 1]);
  assert.deepEqual(
    [source.drop.value, targets[0]?.drop.value, targets[0]?.sourceTargetDrop.value],
    [-1, 0.5, -2],
  );
  const shown = present(report);
  assert.match(
    shown.summary,
    /^Protection took -100.00% of the accuracy on swapped, and 50.00% of that on plain/,
  );
  assert.equal(shown.highlights[2]?.value, '-2');
  const turned = await evaluate.sourceTargetDrop(original, other, { source: plain, target: swapped });
  assert.equal(turned.report.figures.ratioOfMeans.value, -0.5);
});

test('domains are resampled independently of each other', async () => {
  const [plain, swapped] = [await labelled('plain', [0, 1, 2, 3]), await labelled('swapped', [1, 0, 2, 3])];
  const twin = await labelled('twin', [0, 1, 2, 3], 5);
  const [original, other] = [await trained(plain), await trained(swapped)];
  const { figures } = (await evaluate.sourceTargetDrop(original, other, { source: plain, target: twin }))
    .report;
  assert.deepEqual(figures.targets[0]?.pairs, figures.source.pairs);
  const { value, interval } = figures.ratioOfMeans;
  assert.equal(value, 1);
  assert.ok((interval?.[0] ?? 1) < 0.9 && (interval?.[1] ?? 1) > 1.1, String(interval));
});

test('the seed decides the interval, and nothing else', async () => {
  const { source, targets, knows, forgot } = await setting();
  const start = async (seed: number, target: Domain | Domain[] = targets) =>
    (await evaluate.sourceTargetDrop(knows, forgot, { source, target, seed, resamples: 500 })).report.figures;
  const figures = await start(1);
  assert.deepEqual(await start(1), figures);
  const other = await start(2);
  assert.notDeepEqual(other.source.drop.interval, figures.source.drop.interval);
  assert.equal(other.source.drop.value, figures.source.drop.value);
  const alone = await start(1, targets[0] as Domain);
  assert.deepEqual(alone.source, figures.source);
  assert.deepEqual(alone.targets[0], figures.targets[0]);
  assert.deepEqual(alone.ratioOfMeans, alone.targets[0]?.sourceTargetDrop);
  assert.deepEqual(alone.meanOfRatios, alone.targets[0]?.sourceTargetDrop);
});

test('a run that was stopped goes on to the same figures', async () => {
  const { source, knows, forgot } = await setting();
  // So many that the bootstrap takes a while.
  const targets = [await brightness(6000, 4, 'many'), await brightness(5000, 4, 'more')];
  const options = { source, target: targets, resamples: 100_000, seed: 4 };
  const { figures } = (await evaluate.sourceTargetDrop(knows, forgot, options)).report;
  const file = path.join(folder, 'drop.checkpoint');
  const run = evaluate.sourceTargetDrop(knows, forgot, { ...options, checkpoint: { path: file } });
  const start = Date.now();
  await assert.rejects(async () => {
    for await (const { phase } of run) if (phase === 'bootstrap') run.cancel(new Error('enough'));
    throw new Error('it was over before it could be stopped');
  }, /enough/);
  assert.ok(Date.now() - start < 5000);
  assert.ok(fs.existsSync(file));
  const resumed = evaluate.sourceTargetDrop(knows, forgot, { ...options, resume: file });
  const phases = new Set<string>();
  for await (const { phase } of resumed) phases.add(phase);
  assert.deepEqual(
    [...phases].filter((phase) => phase.startsWith('both models')),
    [],
  );
  assert.deepEqual((await resumed).report.figures, figures);
});

test('what cannot be compared is refused by name', async () => {
  const source = await brightness();
  const model = await smallNet();
  const rejects = async (options: object, code: string, words: RegExp, other = model) =>
    await assert.rejects(
      async () =>
        await evaluate.sourceTargetDrop(model, other, { source, ...options } as {
          source: Domain;
          target: Domain;
        }),
      (error) => isEspalierError(error) && error.code === code && words.test(error.message),
    );
  const again = await brightness(240, 4, 'again');
  const target = await brightness(160, 4, 'target');
  await rejects({ target: source }, 'ERR_DATA_INVALID', /same report data again as brightness/);
  await rejects({ target: again }, 'ERR_DATA_INVALID', /same report data again as again/);
  await rejects({ target: [target, target] }, 'ERR_DATA_INVALID', /same report data again as target/);
  await rejects({ target: [] }, 'ERR_OUT_OF_RANGE', /at least one target/);
  await rejects({}, 'ERR_INVALID_ARG_TYPE', /target/);
  await rejects({ target, resamples: 99 }, 'ERR_OUT_OF_RANGE', /resamples/);
  await rejects({ target: await brightness(160, 5, 'five') }, 'ERR_DATA_INVALID', /domain five .* found 5/);
  await rejects({ target }, 'ERR_DATA_INVALID', /domain brightness .* 3 classes/, await smallNet(3));
  const { fit, select } = await brightnessParts(80, 4);
  const training = await Domain.open({ name: 'training-only', fit, select });
  await rejects({ target: training }, 'ERR_DATA_INVALID', /training-only/);
});

test.run();
