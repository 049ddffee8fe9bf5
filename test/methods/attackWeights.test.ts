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
  type Run,
  train,
} from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, brightnessParts, brightnessSamples, smallNet, weightsOf, zerosOf } from './support.js';

// The attacks that change weights, with or without a training afterwards.

const folder = temporaryFolder();
const quick = { count: 96, steps: 30, batchSize: 16, learningRates: [1e-2], threads: 1 };

const digestOf = async (model: Model) => (await model.inspect()).digest;
const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);
const zerosIn = async (model: Model) => sum((await zerosOf(model)).values());

// A trained network, at 30 % zeros a layer where it is pruned.
async function setting() {
  const domain = await brightness();
  const options = { domain, epochs: 4, batchSize: 16, optimizer: { learningRate: 0.1 } };
  const { model: dense } = await train.supervised(await smallNet(), options);
  const { model } = await prune.magnitude(dense, { sparsity: 0.3, scope: 'layer' });
  return { domain, dense, model };
}

// Whoever attacks without data needs report data alone.
async function reportOnly(count = 240): Promise<Domain> {
  return await Domain.open({ name: 'brightness', report: (await brightnessParts(count, 4)).report });
}

const rejects = async (run: PromiseLike<unknown>, code: string, words: RegExp) =>
  await assert.rejects(
    async () => await run,
    (error) => isEspalierError(error) && error.code === code && words.test(error.message),
  );

// Stops where a phase begins, and gives the phases that are left when it goes on.
async function stopAndGoOn<Result>(
  begin: (how: object) => Run<Result>,
  phase: string,
): Promise<{ phases: Set<string>; result: Result }> {
  const file = path.join(folder, `${phase}.checkpoint`);
  const run = begin({ checkpoint: { path: file } });
  await assert.rejects(async () => {
    for await (const progress of run) if (progress.phase === phase) run.cancel(new Error('enough'));
    throw new Error('it was over before it could be stopped');
  }, /enough/);
  assert.ok(fs.existsSync(file));
  const resumed = begin({ resume: file });
  const phases = new Set<string>();
  for await (const progress of resumed) phases.add(progress.phase);
  return { phases, result: await resumed };
}

// Figures without what a clock says.
const timeless = (figures: object): unknown =>
  JSON.parse(JSON.stringify(figures), (key, value) => (key === 'seconds' ? 0 : value));

test('pruning leaves exactly the zeros asked for, those of before among them', async () => {
  const { model } = await setting();
  const domain = await reportOnly();
  const before = await digestOf(model);
  const given = await weightsOf(model);
  const { model: pruned, report } = await attack.prune(model, { domain, sparsity: [0.9, 0.5, 0.5] });
  assert.equal(await digestOf(model), before);
  const { figures } = report;
  assert.deepEqual(
    figures.rows.map(({ sparsity }) => sparsity),
    [0.5, 0.9],
  );
  const sizes = [...given.values()].map(({ length }) => length);
  for (const row of figures.rows) {
    assert.equal(row.zeros, sum(sizes.map((size) => Math.round(size * row.sparsity))));
    assert.equal(row.cut, row.zeros - (await zerosIn(model)));
    assert.equal(row.weights, sum(sizes));
  }
  const left = await weightsOf(pruned);
  for (const [name, weights] of given) {
    const now = left.get(name) as Float32Array;
    const kept = now.filter((value) => value !== 0);
    assert.equal(now.length - kept.length, Math.round(now.length * 0.9), name);
    const least = Math.min(...kept.map(Math.abs));
    now.forEach((value, i) => {
      const was = weights[i] as number;
      assert.ok(value === 0 ? Math.abs(was) <= least : value === was, `${name} ${i}`);
    });
  }
  assert.deepEqual(figures.after, figures.rows[1]?.after);
  assert.equal(figures.after.accuracy, (await evaluate.accuracy(pruned, { domain })).report.figures.accuracy);
  assert.equal(figures.before.accuracy, (await evaluate.accuracy(model, { domain })).report.figures.accuracy);
  const { seconds, ...cost } = figures.cost;
  assert.deepEqual(cost, { images: 0, labels: 0, steps: 0 });
  assert.ok(seconds > 0);
  assert.equal(figures.samples, 0);
});

test('pruning over all layers together takes the smallest weights of all', async () => {
  const { dense } = await setting();
  const domain = await reportOnly();
  const { model: pruned, report } = await attack.prune(dense, { domain, sparsity: [0.6], scope: 'global' });
  const [before, after] = [await weightsOf(dense), await weightsOf(pruned)];
  const all = [...before.values()].flatMap((weights) => [...weights]).map(Math.abs);
  const kept = [...after.values()].flatMap((weights) => [...weights]).filter((value) => value !== 0);
  assert.equal(report.figures.rows[0]?.zeros, Math.round(all.length * 0.6));
  assert.equal(kept.length, all.length - Math.round(all.length * 0.6));
  const expected = all.sort((a, b) => b - a).slice(0, kept.length);
  assert.deepEqual(
    kept.map(Math.abs).sort((a, b) => b - a),
    expected,
  );
});

test('a sparsity that the model has already cuts nothing, and the report warns', async () => {
  const { model } = await setting();
  const { model: same, report } = await attack.prune(model, { domain: await reportOnly(), sparsity: [0.2] });
  assert.equal(report.figures.rows[0]?.cut, 0);
  assert.equal(report.figures.rows[0]?.zeros, await zerosIn(model));
  assert.deepEqual(await weightsOf(same), await weightsOf(model));
  assert.match(report.warnings.join(), /nothing was cut for sparsity 0.2/);
});

test('fine-tuning after pruning holds the zeros, takes the better rate, and is counted', async () => {
  const { domain, model } = await setting();
  const options = { domain, sparsity: [0.8, 0.85], ...quick, steps: 60, learningRates: [1e-9, 1e-2] };
  const { model: tuned, report } = await attack.prune(model, options);
  const { figures } = report;
  for (const [name, zeros] of await zerosOf(tuned)) {
    const { length } = (await weightsOf(model)).get(name) as Float32Array;
    assert.equal(zeros, Math.round(length * 0.85));
  }
  const plain = (await attack.prune(model, { domain, sparsity: [0.85] })).report.figures;
  assert.ok(figures.after.accuracy > plain.after.accuracy + 0.2, JSON.stringify(figures));
  assert.equal(figures.rows[1]?.learningRate, 1e-2);
  assert.ok((figures.rows[1]?.selectAccuracy ?? 0) > 0.5, JSON.stringify(figures));
  const counts = ({ images, labels, steps }: typeof figures.cost) => ({ images, labels, steps });
  assert.deepEqual(counts(figures.cost), { images: 4 * 60 * 16, labels: 96, steps: 240 });
  for (const { cost } of figures.rows)
    assert.deepEqual(counts(cost), { images: 1920, labels: 96, steps: 120 });
  assert.equal(figures.samples, 96);
});

test('pruning and fine-tuning that was stopped goes on to the same bytes', async () => {
  const { domain, model } = await setting();
  const options = { domain, ...quick, sparsity: [0.5, 0.8], steps: 400, seed: 3 };
  const straight = await attack.prune(model, options);
  const { phases, result } = await stopAndGoOn(
    (how) => attack.prune(model, { ...options, ...how }),
    'after sparsity 0.5',
  );
  assert.ok(!phases.has('before'), [...phases].join());
  assert.equal(await digestOf(result.model), await digestOf(straight.model));
  assert.deepEqual(timeless(result.report.figures), timeless(straight.report.figures));
});

test('what cannot be pruned is refused by name', async () => {
  const model = await smallNet();
  const domain = await brightness();
  await rejects(attack.prune(model, { domain, sparsity: [] }), 'ERR_OUT_OF_RANGE', /at least one .*sparsity/);
  for (const sparsity of [0, 1])
    await rejects(attack.prune(model, { domain, sparsity: [sparsity] }), 'ERR_OUT_OF_RANGE', /sparsity/);
  await rejects(attack.prune(model, { domain, steps: 5, count: 1000 }), 'ERR_OUT_OF_RANGE', /1 to 144/);
  await rejects(attack.prune(model, { domain: await brightness(240, 3) }), 'ERR_DATA_INVALID', /4 classes/);
  const { fit } = await brightnessParts(240, 4);
  const unmeasured = await Domain.open({ name: 'unmeasured', fit, select: 0.2 });
  await rejects(attack.prune(model, { domain: unmeasured }), 'ERR_DATA_INVALID', /unmeasured/);
  const untrained = attack.prune(model, { domain: await reportOnly(), steps: 5 });
  await rejects(untrained, 'ERR_DATA_INVALID', /fit/);
});

// The shape of each prunable weight, by path; output channels come first.
const shapesOf = (model: Model) =>
  new Map(
    model.layers
      .filter(({ prunable }) => prunable)
      .map(({ path, weightShape }) => [`${path}.weight`, weightShape]),
  );

// All but the prunable weights, which are drawn anew.
async function rest(model: Model): Promise<string> {
  const weights = shapesOf(model);
  const keep = model.parameters.map((parameter) => parameter.path).filter((name) => !weights.has(name));
  return await digestOf(await model.reinitialize({ seed: 1, keep: [...keep, '*running*', '*num_batches*'] }));
}

for (const granularity of ['channel', 'tensor'] as const) {
  test(`rounded weights are on the grid of their ${granularity}, and nothing else changes`, async () => {
    const { model } = await setting();
    const domain = await reportOnly();
    const before = await digestOf(model);
    const { model: rounded, report } = await attack.quantize(model, { domain, bits: [5, 3, 3], granularity });
    assert.equal(await digestOf(model), before);
    assert.equal(await rest(rounded), await rest(model));
    const { figures } = report;
    assert.deepEqual(
      figures.rows.map(({ bits }) => bits),
      [5, 3],
    );
    const [given, left] = [await weightsOf(model), await weightsOf(rounded)];
    let [squares, error, zeros] = [0, 0, 0];
    for (const [name, shape] of shapesOf(model)) {
      const [was, now] = [given.get(name) as Float32Array, left.get(name) as Float32Array];
      const size = granularity === 'tensor' ? was.length : was.length / (shape[0] as number);
      for (let begin = 0; begin < was.length; begin += size) {
        const channel = was.subarray(begin, begin + size);
        const scale = Math.max(...channel.map(Math.abs)) / 3;
        channel.forEach((value, i) => {
          const found = now[begin + i] as number;
          assert.ok(Math.abs(found - value) <= (scale / 2) * (1 + 1e-6), `${name}: ${value} is ${found}`);
          assert.ok(Math.abs(found / scale - Math.round(found / scale)) < 1e-6, `${name}: ${found}`);
          if (value === 0) assert.equal(Math.abs(found), 0);
          squares += value ** 2;
          error += (found - value) ** 2;
          if (found === 0) zeros++;
        });
      }
    }
    const last = figures.rows[1];
    assert.ok(Math.abs((last?.error ?? 0) / (error / squares) - 1) < 1e-9, `${last?.error}`);
    assert.equal(last?.zeros, zeros);
    assert.equal(last?.weights, sum([...given.values()].map(({ length }) => length)));
    assert.ok((figures.rows[0]?.error ?? 1) < (last?.error ?? 0));
    assert.deepEqual(figures.after, last?.after);
    const measured = (await evaluate.accuracy(rounded, { domain })).report.figures.accuracy;
    assert.equal(figures.after.accuracy, measured);
    const { seconds, ...cost } = figures.cost;
    assert.deepEqual(cost, { images: 0, labels: 0, steps: 0 });
    assert.ok(seconds > 0);
    const { manifest } = await rounded.inspect();
    assert.equal((manifest as { sparsity: number }).sparsity, zeros / (last?.weights ?? 0));
  });
}

test('rounding twice is rounding once; channels of zeros stay; 16 bits change next to nothing', async () => {
  const domain = await reportOnly();
  const { dense } = await setting();
  const { model } = await prune.magnitude(dense, { sparsity: 0.5, structure: 'channel' });
  const once = await attack.quantize(model, { domain, bits: [4] });
  assert.ok((await zerosIn(once.model)) >= (await zerosIn(model)));
  const twice = await attack.quantize(once.model, { domain, bits: [4] });
  assert.equal(twice.report.figures.rows[0]?.error, 0);
  assert.deepEqual(await weightsOf(twice.model), await weightsOf(once.model));
  const fine = (await attack.quantize(model, { domain, bits: [16] })).report.figures;
  assert.ok((fine.rows[0]?.error ?? 1) < 1e-8);
  assert.deepEqual(fine.after, fine.before);
});

test('by default it is 8, 5 and 4 bits', async () => {
  const { figures } = (await attack.quantize(await smallNet(), { domain: await reportOnly() })).report;
  assert.deepEqual(
    figures.rows.map(({ bits }) => bits),
    [8, 5, 4],
  );
});

test('rounding that was stopped goes on to the same bytes', async () => {
  const { model } = await setting();
  const options = { domain: await reportOnly(20_000), bits: Array.from({ length: 15 }, (_, i) => i + 2) };
  const straight = await attack.quantize(model, options);
  const { phases, result } = await stopAndGoOn(
    (how) => attack.quantize(model, { ...options, ...how }),
    'after 14 bits',
  );
  assert.ok(!phases.has('before') && !phases.has('after 16 bits'), [...phases].join());
  assert.equal(await digestOf(result.model), await digestOf(straight.model));
  assert.deepEqual(timeless(result.report.figures), timeless(straight.report.figures));
});

test('what cannot be rounded is refused by name', async () => {
  const model = await smallNet();
  const domain = await reportOnly();
  await rejects(attack.quantize(model, { domain, bits: [] }), 'ERR_OUT_OF_RANGE', /at least one .*bits/);
  for (const bits of [1, 17])
    await rejects(attack.quantize(model, { domain, bits: [bits] }), 'ERR_OUT_OF_RANGE', /bits/);
  await rejects(
    attack.quantize(model, { domain: await brightness(240, 3) }),
    'ERR_DATA_INVALID',
    /4 classes/,
  );
});

test('lifting the mask gives each zero the mean of its layer, once, and leaves the rest', async () => {
  const { model } = await setting();
  const domain = await reportOnly();
  const before = await digestOf(model);
  const { model: guessed, report } = await attack.maskGuess(model, { domain });
  assert.equal(await digestOf(model), before);
  assert.equal(await rest(guessed), await rest(model));
  const { figures } = report;
  const zeros = await zerosIn(model);
  assert.deepEqual(
    figures.rows.map((row) => [row.try, row.refilled, row.removed, row.zeros, row.selectAccuracy]),
    [[1, zeros, 0, 0, null]],
  );
  assert.equal(await zerosIn(guessed), 0);
  const left = await weightsOf(guessed);
  for (const [name, weights] of await weightsOf(model)) {
    const kept = weights.filter((value) => value !== 0);
    const mean = Math.fround(sum(kept) / kept.length);
    left.get(name)?.forEach((value, i) => {
      const was = weights[i] as number;
      if (was !== 0) assert.equal(value, was);
      else assert.ok(Math.abs(value / mean - 1) < 1e-5, `${name}: ${value}, ${mean}`);
    });
  }
  assert.equal(figures.best, 1);
  assert.deepEqual(figures.after, figures.rows[0]?.after);
  assert.equal(
    figures.after.accuracy,
    (await evaluate.accuracy(guessed, { domain })).report.figures.accuracy,
  );
  const { manifest } = await guessed.inspect();
  assert.equal((manifest as { sparsity: number }).sparsity, 0);
  const { seconds, ...cost } = figures.cost;
  assert.deepEqual(cost, { images: 0, labels: 0, steps: 0 });
  assert.ok(seconds > 0);
});

test('noise has the variance of its layer, and is another in each try', async () => {
  const { domain, dense } = await setting();
  const { model } = await prune.magnitude(dense, { sparsity: 0.9, scope: 'layer' });
  const { model: guessed, report } = await attack.maskGuess(model, { domain, refill: 'he', tries: 3 });
  const left = await weightsOf(guessed);
  let [ratio, count] = [0, 0];
  for (const [name, [, ...fan]] of shapesOf(model)) {
    const weights = (await weightsOf(model)).get(name) as Float32Array;
    const variance = 2 / fan.reduce((a, b) => a * b, 1);
    left.get(name)?.forEach((value, i) => {
      if (weights[i] !== 0) {
        assert.equal(value, weights[i]);
      } else {
        ratio += value ** 2 / variance;
        count++;
      }
    });
  }
  assert.equal(count, await zerosIn(model));
  // Five standard errors of a mean square of normals.
  assert.ok(Math.abs(ratio / count - 1) < 5 * Math.sqrt(2 / count), `${ratio / count} of ${count}`);
  assert.equal(report.figures.rows.length, 3);
  const other = await attack.maskGuess(model, { domain, refill: 'he', tries: 1, seed: 8 });
  assert.notDeepEqual(await weightsOf(other.model), left);
});

test('a flip changes exactly as many weights as it says, and the model stays as sparse', async () => {
  const { domain, model } = await setting();
  const given = await weightsOf(model);
  // Thirty percent are zero: of a flip of the whole mask so many can change on either side.
  for (const flip of [0.1, 1]) {
    const { model: guessed, report } = await attack.maskGuess(model, { domain, flip, tries: 2 });
    assert.equal(await rest(guessed), await rest(model));
    let total = 0;
    const left = await weightsOf(guessed);
    for (const [name, weights] of given) {
      const now = left.get(name) as Float32Array;
      const zeros = weights.filter((value) => value === 0).length;
      const expected = Math.min(Math.round((weights.length * flip) / 2), zeros);
      const filled = now.filter((value, i) => value !== 0 && weights[i] === 0).length;
      const removed = now.filter((value, i) => value === 0 && weights[i] !== 0).length;
      const changed = now.filter(
        (value, i) => value !== 0 && weights[i] !== 0 && value !== weights[i],
      ).length;
      assert.deepEqual([filled, removed, changed], [expected, expected, 0], name);
      const mean = sum(weights) / (weights.length - zeros);
      const values = now.filter((value, i) => value !== 0 && weights[i] === 0);
      assert.ok(values.every((value) => Math.abs(value / mean - 1) < 1e-4));
      total += expected;
    }
    for (const row of report.figures.rows)
      assert.deepEqual([row.refilled, row.removed, row.zeros], [total, total, await zerosIn(model)]);
  }
});

test('seeds say what is flipped: another try flips other weights, the same seed the same', async () => {
  const { domain, model } = await setting();
  const flipped = async (seed: number) =>
    await weightsOf((await attack.maskGuess(model, { domain, flip: 0.2, tries: 1, seed })).model);
  assert.deepEqual(await flipped(1), await flipped(1));
  assert.notDeepEqual(await flipped(1), await flipped(2));
  const { figures } = (await attack.maskGuess(model, { domain, flip: 0.6, tries: 6 })).report;
  assert.ok(new Set(figures.rows.map(({ after }) => after.right)).size > 1, JSON.stringify(figures.rows));
});

test('the best guess is chosen on select data, whatever report data says', async () => {
  const { model } = await setting();
  const { select, report: published } = await brightnessParts();
  // Its classes called otherwise: what is best there is worst by their true names.
  const { labels, ...images } = brightnessSamples(240, 4);
  const misnamed = await Dataset.from({ ...images, labels: labels.map((label) => (label + 1) % 4) });
  for (const domain of [
    await Domain.open({ name: 'agreeing', select, report: published }),
    await Domain.open({ name: 'contrary', select, report: misnamed }),
  ]) {
    const options = { domain, flip: 0.6, tries: 8, refill: 'he' } as const;
    const { model: best, report } = await attack.maskGuess(model, options);
    const { rows, best: number, after } = report.figures;
    const accuracies = rows.map(({ selectAccuracy }) => selectAccuracy ?? Number.NaN);
    assert.ok(Math.max(...accuracies) > Math.min(...accuracies), JSON.stringify(rows));
    assert.equal(number, accuracies.indexOf(Math.max(...accuracies)) + 1);
    assert.deepEqual(after, rows[number - 1]?.after);
    assert.equal(after.accuracy, (await evaluate.accuracy(best, { domain })).report.figures.accuracy);
    const again = await Domain.open({ name: 'select', report: select });
    const chosen = (await evaluate.accuracy(best, { domain: again })).report.figures.accuracy;
    assert.equal(chosen, Math.max(...accuracies));
  }
});

test('guessing that was stopped goes on to the same bytes', async () => {
  const { model } = await setting();
  const domain = await brightness(20_000);
  const options = { domain, flip: 0.3, tries: 12, seed: 5 };
  const straight = await attack.maskGuess(model, options);
  const { phases, result } = await stopAndGoOn(
    (how) => attack.maskGuess(model, { ...options, ...how }),
    'after try 3',
  );
  assert.ok(!phases.has('before') && !phases.has('choose, try 3'), [...phases].join());
  assert.equal(await digestOf(result.model), await digestOf(straight.model));
  assert.deepEqual(timeless(result.report.figures), timeless(straight.report.figures));
});

test('a killed run has what it measured in its last checkpoint', async () => {
  const { domain, model } = await setting();
  const options = { domain, flip: 0.3, tries: 3 };
  const file = path.join(folder, 'killed.checkpoint');
  const straight = await attack.maskGuess(model, { ...options, checkpoint: { path: file, everySteps: 2 } });
  // Seven measurements: the newest is of the sixth.
  const resumed = attack.maskGuess(model, { ...options, resume: file });
  const phases = new Set<string>();
  for await (const { phase } of resumed) phases.add(phase);
  assert.deepEqual([...phases], ['after try 3', 'done']);
  assert.deepEqual(timeless((await resumed).report.figures), timeless(straight.report.figures));
});

test('what cannot be guessed is refused by name', async () => {
  const { domain, dense, model } = await setting();
  await rejects(attack.maskGuess(dense, { domain }), 'ERR_MODEL_UNSUPPORTED', /no zeros/);
  await rejects(attack.maskGuess(model, { domain, flip: 1e-9 }), 'ERR_OUT_OF_RANGE', /flip/);
  await rejects(attack.maskGuess(model, { domain, flip: 1.1 }), 'ERR_OUT_OF_RANGE', /flip/);
  await rejects(attack.maskGuess(model, { domain, tries: 0 }), 'ERR_OUT_OF_RANGE', /tries/);
  const undecided = attack.maskGuess(model, { domain: await reportOnly(), refill: 'he' });
  await rejects(undecided, 'ERR_DATA_INVALID', /select/);
  const { model: empty } = await prune.magnitude(dense, { sparsity: 1 });
  await rejects(attack.maskGuess(empty, { domain }), 'ERR_MODEL_UNSUPPORTED', /refill 'he'/);
});

test.run();
