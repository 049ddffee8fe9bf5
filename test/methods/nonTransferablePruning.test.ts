import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { authorize, Dataset, Domain, isEspalierError, Model, train } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, brightnessParts, smallNet, stripes, zerosOf } from './support.js';

const folder = temporaryFolder();
const code = (expected: string) => (error: unknown) => isEspalierError(error) && error.code === expected;

const kShort = {
  sparsity: 0.5,
  iterations: 4,
  stepsPerIteration: 5,
  polishSteps: 10,
  batchSize: 16,
  refreshBatches: 4,
  sourceFloor: 0.5,
  targetHead: { steps: 10, refreshSteps: 2 },
  seed: 3,
} as const;

async function trained(source: Domain): Promise<Model> {
  const { model } = await train.supervised(await smallNet(), {
    domain: source,
    epochs: 8,
    batchSize: 16,
    seed: 1,
  });
  return model;
}

test('prunes to exactly the asked sparsity, and its file tells nothing of the target', async () => {
  const [source, target] = [await brightness(), await stripes()];
  const model = await trained(source);
  for (const attacker of ['none', 'simulated'] as const) {
    const {
      model: locked,
      mask,
      report,
    } = await authorize.nonTransferablePruning(model, {
      source,
      target,
      attacker,
      ...kShort,
    });
    const { totals, iterations, polish, targets } = report.figures;
    assert.equal(totals.zeros, Math.round(totals.weights * 0.5));
    assert.equal(mask.weights - mask.kept, totals.zeros);
    assert.equal(iterations.length, 4);
    assert.equal(polish.length, 5);
    assert.equal(targets[0]?.domain, 'stripes');
    assert.equal(iterations[0]?.attackerLoss === null, attacker === 'none');
    assert.equal(iterations[0]?.fisherRatio === null, attacker === 'simulated');
    const file = path.join(folder, `locked-${attacker}.pt`);
    await locked.save(file);
    const zeros = await zerosOf(await Model.load(file));
    for (const layer of report.figures.layers) assert.equal(zeros.get(layer.path), layer.zeros);
    assert.ok(fs.readFileSync(`${file}.manifest.json`, 'utf8').includes('stripes'));
    const bytes = fs.readFileSync(file, 'latin1');
    for (const word of ['stripes', 'nonTransferable', 'attacker']) assert.ok(!bytes.includes(word), word);
  }
});

test('each way to make it sparse and each loss runs, with what it reports', async () => {
  const [source, target, other] = [
    await brightness(),
    await stripes(),
    await stripes(200, { name: 'more stripes' }),
  ];
  const model = await trained(source);
  const common = { source, ...kShort, attacker: 'none' as const };
  const soft = await authorize.nonTransferablePruning(model, {
    ...common,
    target,
    zUpdate: 'l1',
    penalty: 'norm',
    l1: 1e-5,
    rho: 0.01,
    prunable: 'all',
  });
  assert.ok(soft.report.figures.sparsity > 0);
  assert.match(soft.report.warnings.join(' '), /instead of 0.5/);
  const ntl = await authorize.nonTransferablePruning(model, { ...common, target, loss: 'ntl' });
  assert.ok(
    ntl.report.figures.iterations.every(
      ({ discrepancy, fisherRatio }) => discrepancy !== null && fisherRatio === null,
    ),
  );
  const off = { alphaTarget: 0, lambdaFisher: 0 };
  const alone = await authorize.nonTransferablePruning(model, { ...common, target, ...off });
  assert.ok(alone.report.figures.iterations.every(({ targetLoss }) => targetLoss === null));
  const both = await authorize.nonTransferablePruning(model, { ...common, target: [target, other] });
  assert.deepEqual(
    both.report.figures.targets.map(({ domain }) => domain),
    ['stripes', 'more stripes'],
  );
  const split = await authorize.nonTransferablePruning(model, { ...common, target, split: 'blocks.0.conv' });
  assert.deepEqual(
    split.report.figures.layers.map((layer) => layer.path),
    ['blocks.0.conv.weight'],
  );
});

test('refuses what it cannot protect, by name', async () => {
  const [source, target] = [await brightness(), await stripes()];
  const model = await smallNet();
  const start = async (options: object, on = model) =>
    await authorize.nonTransferablePruning(on, { source, target, ...kShort, ...options });
  await assert.rejects(start({ target: source }), code('ERR_DATA_INVALID'));
  await assert.rejects(start({ target: [] }), code('ERR_OUT_OF_RANGE'));
  await assert.rejects(start({ target: await brightness(240, 3) }), code('ERR_DATA_INVALID'));
  const empty = await brightnessParts(240, 3);
  const missing = await Domain.open({
    name: 'a class without samples',
    fit: await withClasses(empty.fit, 4),
    select: await withClasses(empty.select, 4),
  });
  await assert.rejects(start({ target: missing }), code('ERR_DATA_INVALID'));
  await assert.rejects(start({ split: 'nowhere' }), code('ERR_INVALID_ARG_TYPE'));
  await assert.rejects(start({ sparsity: 0.9999 }), code('ERR_TARGET_UNREACHABLE'));
  await assert.rejects(start({ loss: 'ntl', attacker: 'simulated' }), code('ERR_INVALID_ARG_TYPE'));
});

// The same images under labels of which the last class is never used.
async function withClasses(like: Dataset, classes: number): Promise<Dataset> {
  const count = like.length;
  const labels = Array.from({ length: count }, (_, i) => i % 3);
  return await Dataset.from({
    data: new Uint8Array(count * 64).fill(7),
    shape: [count, 1, 8, 8],
    labels,
    classes,
  });
}

test('the preset fills in what is left out', async () => {
  const [source, target] = [await brightness(), await stripes()];
  const { report } = await authorize.nonTransferablePruning(await trained(source), {
    source,
    target,
    preset: 'paper',
    ...kShort,
    epochsPerIteration: 1,
    targetHead: { steps: 3 },
  });
  const { options } = report as unknown as { options: { [name: string]: unknown } };
  assert.equal(options.attacker, 'none');
  assert.equal(options.lambdaFisher, 1000);
  assert.equal(options.iterations, 4);
  assert.deepEqual(options.targetHead, { steps: 3, refreshSteps: 0, learningRate: 1e-3, weightDecay: 8e-4 });
});

test("strength 'auto' returns the trial that it chose, within its budget", async () => {
  const [source, target] = [await brightness(), await stripes()];
  const model = await trained(source);
  const search = { budget: 150, attackSteps: 20, attackSamples: 100000 };
  const options = { source, target, ...kShort, strength: 'auto' as const };
  const { report } = await authorize.nonTransferablePruning(model, { ...options, search });
  const { frontier, source: figures } = report.figures;
  // A trial takes 4 x 5 + 10 steps, and 20 of the attack.
  assert.equal(frontier.length, 3);
  const [chosen, ...others] = frontier.filter((trial) => trial.chosen);
  assert.equal(others.length, 0);
  assert.equal(chosen?.sourceAccuracy, figures.after);
  assert.deepEqual(
    frontier.slice(0, 2).map(({ strength }) => strength),
    [1, frontier[0]?.holdsFloor ? 2 : 0.5],
  );
  await assert.rejects(
    async () =>
      await authorize.nonTransferablePruning(model, { ...options, search: { ...search, budget: 49 } }),
    code('ERR_OUT_OF_RANGE'),
  );
});

test.run();
