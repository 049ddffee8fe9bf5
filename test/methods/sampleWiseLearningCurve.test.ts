import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Dataset, Domain, evaluate, isEspalierError, prune, train } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, smallNet } from './support.js';

const folder = temporaryFolder();
const quick = { counts: [8, 32, 96], steps: 12, batchSize: 16, seeds: 2, threads: 1 };

async function trained(epochs = 8) {
  const domain = await brightness();
  const options = { domain, epochs, batchSize: 16, optimizer: { learningRate: 0.1 } };
  return { domain, model: (await train.supervised(await smallNet(), options)).model };
}

const refused = (code: string, words: RegExp) => (error: unknown) =>
  isEspalierError(error) && error.code === code && words.test(error.message);

test('a model that knows the domain helps; against itself it does not', async () => {
  const { domain, model } = await trained();
  const { report } = await evaluate.sampleWiseLearningCurve(model, { domain, ...quick });
  const { area, curves } = report.figures;
  assert.ok(area.ln.mean > 0.3, JSON.stringify(area));
  assert.deepEqual(
    curves.model.map(({ samples }) => samples),
    [8, 32, 96],
  );
  assert.equal(area.ln.values.length, 2);
  assert.ok(Math.abs(area.log10.mean * Math.LN10 - area.ln.mean) < 1e-12);
  assert.ok(Math.abs(area.normalized.mean * Math.log(96 / 8) - area.ln.mean) < 1e-12);
  assert.equal(report.figures.baseline, 'scratch');
  const itself = await evaluate.sampleWiseLearningCurve(model, { domain, ...quick, baseline: model });
  assert.equal(itself.report.figures.area.ln.mean, 0);
  assert.equal(itself.report.figures.baseline, 'model');
});

test('the area is that of the published curves, seed by seed', async () => {
  const { domain, model } = await trained();
  const { figures } = (await evaluate.sampleWiseLearningCurve(model, { domain, ...quick })).report;
  const under = (curve: typeof figures.curves.model, seed: number) =>
    curve.slice(1).reduce((sum, point, i) => {
      const before = curve[i] as typeof point;
      const mean = ((point.accuracy.values[seed] ?? 0) + (before.accuracy.values[seed] ?? 0)) / 2;
      return sum + mean * Math.log(point.samples / before.samples);
    }, 0);
  for (const seed of [0, 1]) {
    const area = under(figures.curves.model, seed) - under(figures.curves.baseline, seed);
    assert.ok(Math.abs(area - (figures.area.ln.values[seed] ?? 9)) < 1e-12);
  }
});

test('one thread and two give the same figures, and so does a run that was stopped', async () => {
  const { domain, model } = await trained();
  const options = { domain, ...quick, steps: 40, learningRates: [1e-3, 1e-2] };
  const { figures } = (await evaluate.sampleWiseLearningCurve(model, options)).report;
  const two = await evaluate.sampleWiseLearningCurve(model, { ...options, threads: 2 });
  assert.deepEqual(two.report.figures, figures);

  const file = path.join(folder, 'curve.checkpoint');
  const run = evaluate.sampleWiseLearningCurve(model, { ...options, checkpoint: { path: file } });
  await assert.rejects(async () => {
    for await (const { step } of run) if (step >= 2) run.cancel(new Error('enough'));
    throw new Error('it was over before it could be stopped');
  }, /enough/);
  assert.ok(fs.existsSync(file));
  const resumed = evaluate.sampleWiseLearningCurve(model, { ...options, resume: file });
  const steps: number[] = [];
  for await (const { step, phase } of resumed) if (phase === 'points') steps.push(step);
  assert.ok(
    steps.every((step) => step >= 2),
    steps.join(),
  );
  assert.deepEqual((await resumed).report.figures, figures);
});

test('a run ends soon after it is cancelled', async () => {
  const { domain, model } = await trained();
  const run = evaluate.sampleWiseLearningCurve(model, { domain, ...quick, steps: 1_000_000 });
  setTimeout(() => run.cancel(new Error('enough')), 200);
  const start = Date.now();
  await assert.rejects(async () => await run, /enough/);
  assert.ok(Date.now() - start < 5000);
});

test('a learning rate is chosen on select data, and only where there are several', async () => {
  const { domain, model } = await trained();
  const learningRates = [1e-8, 1e-2];
  const { figures } = (
    await evaluate.sampleWiseLearningCurve(model, { domain, ...quick, steps: 40, learningRates, seeds: 1 })
  ).report;
  // From scratch a rate of nothing learns nothing.
  assert.deepEqual(
    figures.curves.baseline.map((point) => point.learningRates),
    [[1e-2], [1e-2], [1e-2]],
  );
});

test('scratch under the mask has the capacity of the mask alone', async () => {
  const { domain } = await trained();
  // Nothing is left to train but biases and norms: it cannot tell images apart.
  const { model: empty } = await prune.magnitude(await smallNet(), { sparsity: 1 });
  const options = { domain, ...quick, seeds: 1, steps: 60, learningRates: [1e-2] };
  const held = await evaluate.sampleWiseLearningCurve(empty, { ...options, baseline: 'scratch-under-mask' });
  const { curves } = held.report.figures;
  for (const curve of [curves.model, curves.baseline]) {
    for (const { accuracy } of curve) assert.ok(accuracy.mean < 0.5, JSON.stringify(curves));
  }
  const dense = await evaluate.sampleWiseLearningCurve(empty, { ...options, baseline: 'scratch' });
  assert.ok((dense.report.figures.curves.baseline.at(-1)?.accuracy.mean ?? 0) > 0.6);
});

test('the mask may be lifted, the head and the batch norms begun anew', async () => {
  // Far from perfect, so that there is something to see.
  const { domain, model } = await trained(3);
  const { model: sparse } = await prune.magnitude(model, { sparsity: 0.85 });
  const options = { domain, ...quick, steps: 10, seeds: 2, learningRates: [1e-2] };
  const curveOf = async (change: object) =>
    (await evaluate.sampleWiseLearningCurve(sparse, { ...options, ...change })).report.figures.curves;
  const plain = await curveOf({});
  for (const change of [{ maskHeld: false }, { head: 'fresh' }, { batchNorm: 'fresh' }, { layers: 'head' }]) {
    const other = await curveOf(change);
    assert.notDeepEqual(other.model, plain.model, JSON.stringify(change));
    assert.deepEqual(other.baseline, plain.baseline, JSON.stringify(change));
  }
});

async function parts() {
  const whole = new Uint8Array(64 * 8);
  const fit = await Dataset.from({ data: whole, shape: [8, 1, 8, 8], labels: [0, 1, 2, 3, 0, 1, 2, 3] });
  return { fit, report: fit };
}

test('what cannot be measured is refused by name', async () => {
  const model = await smallNet();
  const domain = await brightness();
  const start = (options: object, on = domain) =>
    evaluate.sampleWiseLearningCurve(model, { domain: on, ...quick, ...options });
  const rejects = async (run: PromiseLike<unknown>, code: string, words: RegExp) =>
    await assert.rejects(async () => await run, refused(code, words));
  await rejects(start({ counts: [8, 1000] }), 'ERR_OUT_OF_RANGE', /at most 144 .*brightness.*1000/);
  await rejects(start({ counts: [8, 8] }), 'ERR_OUT_OF_RANGE', /two different/);
  await rejects(start({ fractions: [0.5, 1] }), 'ERR_INVALID_ARG_TYPE', /counts or fractions/);
  await rejects(start({ counts: undefined, fractions: [1e-4, 1] }), 'ERR_OUT_OF_RANGE', /fractions/);
  await rejects(start({ layers: 'head', batchNorm: 'fresh' }), 'ERR_INVALID_ARG_TYPE', /batchNorm 'keep'/);
  await rejects(start({ baseline: 'nothing' }), 'ERR_INVALID_ARG_TYPE', /baseline/);
  await rejects(start({}, await brightness(240, 3)), 'ERR_DATA_INVALID', /4 classes of the model, found 3/);
  const { fit, report } = await parts();
  const fitOnly = await Domain.open({ name: 'only-fit', fit, select: fit });
  await rejects(start({}, fitOnly), 'ERR_DATA_INVALID', /only-fit/);
  const reportOnly = await Domain.open({ name: 'only-report', report });
  await rejects(start({}, reportOnly), 'ERR_DATA_INVALID', /only-report/);
});

test.run();
