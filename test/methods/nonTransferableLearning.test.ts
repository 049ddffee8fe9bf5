import * as assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { attack, authorize, Domain, evaluate, isEspalierError, Key, Model, train } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { brightness, brightnessParts, smallNet, stripes } from './support.js';

const folder = temporaryFolder();
const code = (expected: string) => (error: unknown) => isEspalierError(error) && error.code === expected;

const kShort = {
  steps: 120,
  batchSize: 16,
  readings: 4,
  sourceFloor: 0.1,
  learningRate: 5e-3,
  seed: 3,
} as const;
const kLong = { steps: 400, learningRate: 2e-3, alpha: 3 } as const;
const kAround = {
  latent: 16,
  channels: 32,
  steps: 150,
  batchSize: 16,
  learningRate: 5e-4,
  classWeight: 1,
  distances: [0.1, 0.5],
  directions: 2,
  distanceSteps: 20,
  imagesPerCell: 40,
};
const kPatch = { density: 0.25, cell: 2, value: 120 } as const;

// A network that sees where things are: global pooling does not, and cannot tell one pattern from another.
const lenet = async (seed: number) =>
  await Model.create('lenet5', { classes: 4, inChannels: 1, inputSize: 16, seed });

async function trained(source: Domain, start = smallNet(), seed = 1): Promise<Model> {
  const { model } = await train.supervised(await start, {
    domain: source,
    epochs: 6,
    batchSize: 16,
    labelSmoothing: 0.2, // a model that is sure of itself has hardly a target loss to begin with
    optimizer: { kind: 'adam', learningRate: 1e-2 },
    seed,
  });
  return model;
}

// The same secret in every run of the tests.
async function fixedKey(): Promise<Key> {
  const file = path.join(folder, 'fixed.key');
  await (await Key.create()).save(file);
  const bytes = fs.readFileSync(file);
  bytes.fill(7, bytes.length - 32);
  fs.writeFileSync(file, bytes);
  return await Key.load(file);
}

async function bytesOf(model: Model): Promise<string> {
  const file = path.join(folder, 'bytes.pt');
  await model.save(file, { manifest: 'none' });
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

const accuracyOn = async (model: Model, domain: Domain) =>
  (await evaluate.accuracy(model, { domain })).report.figures.accuracy;

test('target-specified: the source is kept, the target lost, and the file says nothing of it', async () => {
  const [source, other] = [await stripes(), await stripes(240, { name: 'pale stripes', contrast: 90 })];
  const model = await trained(source);
  const before = await accuracyOn(model, other);
  assert.ok(before > 0.5, String(before));
  const { model: bound, report } = await authorize.nonTransferableLearning(model, {
    variant: 'targetSpecified',
    source,
    target: other,
    ...kShort,
  });
  const { figures } = report;
  assert.ok((await accuracyOn(bound, source)) > 0.85, JSON.stringify(figures.source));
  assert.ok((await accuracyOn(bound, other)) < 0.35, JSON.stringify(figures.targets));
  assert.equal(figures.source.held, true);
  assert.equal(figures.readings.length, 4);
  assert.equal(figures.patch, null);
  // Not what the steps alone do.
  assert.ok((figures.control?.targets[0]?.accuracy ?? 0) > (figures.targets[0]?.after ?? 1) + 0.1);

  const file = path.join(folder, 'bound.pt');
  await bound.save(file);
  const bytes = fs.readFileSync(file, 'latin1');
  for (const word of ['pale', 'nonTransferable', 'alpha']) assert.ok(!bytes.includes(word), word);
  assert.ok(fs.readFileSync(`${file}.manifest.json`, 'utf8').includes('pale'));
});

test('ownership: the key takes the answers, other keys do not, and honest models do not react', async () => {
  const source = await stripes(480, { size: 16 });
  const key = await fixedKey();
  const model = await trained(source, lenet(1));
  const { model: marked, report } = await authorize.nonTransferableLearning(model, {
    variant: 'ownership',
    source,
    key,
    patch: kPatch,
    ...kShort,
    ...kLong,
    control: false,
  });
  assert.match(report.figures.patch?.digest ?? '', /^[0-9a-f]{64}$/);
  assert.equal(report.figures.patch?.pixels, 64);
  const file = path.join(folder, 'marked.key');
  await key.save(file);
  const secret = fs.readFileSync(file).subarray(-32).toString('hex');
  await marked.save(path.join(folder, 'marked.pt'));
  const full = fs.readFileSync(path.join(folder, 'marked.pt.manifest.json'), 'utf8');
  assert.equal((JSON.stringify(report) + full).includes(secret), false);

  const honest = [await trained(source, lenet(2), 2), await trained(source, lenet(3), 3)];
  const ask = async (suspect: Model, by: Key) =>
    (
      await authorize.verifyOwnership(suspect, by, {
        domain: source,
        honest,
        patch: kPatch,
        samples: 96,
        wrongKeys: 10,
        seed: 1,
      })
    ).report.figures;
  const claim = await ask(marked, key);
  assert.equal(claim.verdict, 'proven', JSON.stringify({ ...claim, wrongKeys: claim.wrongKeys.log10PValue }));
  assert.equal(claim.patch, report.figures.patch?.digest);
  assert.equal(claim.wrongKeys.claims + claim.honest.claims, 0);
  assert.equal(claim.wrongKeys.trials, 10);
  assert.equal(claim.honest.trials, 2);
  assert.equal(claim.queries, 192);
  assert.ok(claim.suspect.log10PValue < -6);
  assert.ok(Math.abs(claim.pValue - 10 ** claim.suspect.log10PValue) < 1e-12);
  assert.equal(claim.rankPValue, 1 / 11);
  const { both, onlyFirst, onlySecond, neither } = claim.suspect.pairs;
  assert.equal(both + onlyFirst + onlySecond + neither, 96);
  assert.equal(claim.suspect.plain.right, both + onlyFirst);
  assert.equal(claim.suspect.patched.right, both + onlySecond);

  assert.equal((await ask(model, key)).verdict, 'notProven');
  assert.equal((await ask(marked, await Key.create())).verdict, 'notProven');
});

test(
  'overwriting binds a marked model to a key of the attacker, and says what is left of the mark',
  async () => {
    const source = await stripes(480, { size: 16 });
    const key = await fixedKey();
    const { model: marked } = await authorize.nonTransferableLearning(await trained(source, lenet(1)), {
      variant: 'ownership',
      source,
      key,
      patch: kPatch,
      ...kShort,
      ...kLong,
      control: false,
    });
    const options = {
      domain: source,
      key,
      ownerPatch: kPatch,
      patch: kPatch,
      ...kLong,
      batchSize: 16,
      sourceFloor: 0.1,
      threads: 1,
      seed: 5,
    };
    const given = await bytesOf(marked);
    const { model, key: second, report } = await attack.overwrite(marked, options);
    assert.equal(await bytesOf(marked), given);
    const { figures } = report;
    const owners = await source.patch(key, kPatch);
    const attackers = await source.patch(second, kPatch);
    assert.equal(figures.before.accuracy, await accuracyOn(marked, source));
    assert.equal(figures.after.accuracy, await accuracyOn(model, source));
    assert.equal(figures.owner?.before.accuracy, await accuracyOn(marked, owners));
    assert.equal(figures.owner?.after.accuracy, await accuracyOn(model, owners));
    assert.equal(figures.attacker.before.accuracy, await accuracyOn(marked, attackers));
    assert.equal(figures.attacker.after.accuracy, await accuracyOn(model, attackers));
    // It does what the owner did: the model works, and not under the new pattern.
    assert.ok(figures.after.accuracy > 0.8, JSON.stringify(figures));
    assert.ok(figures.attacker.after.accuracy < figures.after.accuracy - 0.3, JSON.stringify(figures));
    assert.ok(figures.attacker.before.accuracy > figures.attacker.after.accuracy + 0.2);
    const { labels, images, steps, seconds } = figures.cost;
    assert.deepEqual([figures.samples, labels, images, steps], [288, 288, 2 * 400 * 16, 400]);
    assert.ok(seconds > 0);

    assert.equal(second.holds, 'secret');
    assert.notEqual(second.digest, key.digest);
    assert.notEqual(figures.attacker.digest, figures.owner?.digest);
    const claim = await authorize.verifyOwnership(model, second, {
      domain: source,
      patch: kPatch,
      samples: 96,
      wrongKeys: 5,
    });
    assert.equal(claim.report.figures.patch, figures.attacker.digest);
  },
  { timeoutMs: 120_000 },
);

test('overwriting does not use the key, and repeats with its seed alone', async () => {
  const domain = await stripes(480, { size: 16 });
  const model = await lenet(1);
  const options = { domain, fraction: 0.5, steps: 60, batchSize: 16, threads: 1, seed: 5 };
  const { model: straight, key, report } = await attack.overwrite(model, options);
  assert.equal(report.figures.owner, null);
  assert.equal(report.figures.cost.labels, 144);
  const measured = await attack.overwrite(model, { ...options, key: await fixedKey() });
  assert.equal(await bytesOf(measured.model), await bytesOf(straight));
  assert.equal(measured.key.digest, key.digest);
  assert.notEqual((await attack.overwrite(model, { ...options, seed: 6 })).key.digest, key.digest);
});

test('overwriting says what it cannot do', async () => {
  const domain = await stripes();
  const model = await smallNet();
  const refused = async (options: object, expected: string, words: RegExp) =>
    await assert.rejects(
      async () => await attack.overwrite(model, { domain, steps: 2, ...options }),
      (error) => code(expected)(error) && words.test((error as Error).message),
    );
  await refused({ count: 5000 }, 'ERR_OUT_OF_RANGE', /1 to 144 .*stripes.* 5000/);
  await refused({ patch: { channel: 1 } }, 'ERR_OUT_OF_RANGE', /channel/);
  await refused({ domain: await brightness(240, 3) }, 'ERR_DATA_INVALID', /4 classes of the model/);
  const { fit, report } = await brightnessParts();
  const unselected = await Domain.open({ name: 'unselected', fit, report, select: 0 });
  await refused({ domain: unselected }, 'ERR_DATA_INVALID', /select.*unselected|unselected.*select/);
});

test('a pattern that hurts every model proves nothing: the claim is contradicted', async () => {
  const source = await brightness(480);
  const key = await Key.create();
  const patch = { density: 1, cell: 1, value: 255 };
  const { figures } = (
    await authorize.verifyOwnership(await trained(source), key, {
      domain: source,
      honest: [await trained(source, smallNet(4, 2), 2)],
      patch,
      samples: 90,
      wrongKeys: 3,
    })
  ).report;
  assert.equal(figures.verdict, 'contradicted');
  assert.equal(figures.wrongKeys.claims, 3);
  assert.equal(figures.rankPValue, 1);
});

test('authorization: the source with the pattern works, without it not', async () => {
  const source = await stripes(480, { size: 16 });
  const key = await fixedKey();
  const { model: licensed, report } = await authorize.nonTransferableLearning(
    await trained(source, lenet(1)),
    {
      variant: 'authorization',
      source,
      key,
      patch: kPatch,
      ...kShort,
      ...kLong,
      control: false,
    },
  );
  assert.equal(report.figures.source.domain, 'stripes + patch');
  assert.deepEqual(
    report.figures.targets.map(({ domain }) => domain),
    ['stripes'],
  );
  const [withIt, without] = [
    await accuracyOn(licensed, await source.patch(key, kPatch)),
    await accuracyOn(licensed, source),
  ];
  assert.ok(withIt > 0.8, String(withIt));
  assert.ok(without < 0.4, String(without));
});

test(
  'source-only: images around the source are made and trained against, and the source is kept',
  async () => {
    const source = await stripes();
    const { model: narrow, report } = await authorize.nonTransferableLearning(await trained(source), {
      variant: 'sourceOnly',
      source,
      augmentation: kAround,
      ...kShort,
    });
    const { augmentation, targets, control } = report.figures;
    assert.deepEqual(Object.keys(report.inputs ?? {}).sort(), ['model', 'source']);
    assert.equal(augmentation?.images, 160);
    assert.deepEqual(
      augmentation?.cells.map(({ distance, direction }) => [distance, direction]),
      [
        [0.1, 0],
        [0.1, 1],
        [0.5, 0],
        [0.5, 1],
      ],
    );
    for (const cell of augmentation?.cells ?? []) {
      // Beyond its distance nothing pushes; the class is kept.
      assert.ok(cell.discrepancy >= 0 && cell.discrepancy <= cell.distance + 1, JSON.stringify(cell));
      assert.ok(cell.agreement > 0.35, JSON.stringify(cell));
    }
    assert.equal(targets[0]?.domain, 'around stripes');
    assert.ok((report.figures.readings.at(-1)?.targetLoss ?? 0) > 3, JSON.stringify(report.figures.readings));
    assert.deepEqual(control?.targets, []);
    assert.ok((await accuracyOn(narrow, source)) > 0.85, JSON.stringify(report.figures.source));
  },
  { timeoutMs: 120_000 },
);

test('the preset has the values of the official code, as far as the variant has the options', async () => {
  const [source, target] = [await stripes(), await brightness()];
  const model = await smallNet();
  const paper = { preset: 'paper', epochs: 1, readings: 1, control: false } as const;
  const { report } = await authorize.nonTransferableLearning(model, {
    variant: 'targetSpecified',
    source,
    target,
    ...paper,
  });
  const { options } = report as unknown as { options: Record<string, unknown> };
  assert.deepEqual(
    [options.reduction, options.alpha, options.beta, options.capOver, options.batchNorm, options.epochs],
    ['elementwise', 0.1, 0.1, 'batch', 'joint', 1],
  );
  assert.equal(options.decoys ?? null, null);
});

test('says what is wrong', async () => {
  const [source, target] = [await stripes(), await brightness()];
  const model = await smallNet();
  const learn = authorize.nonTransferableLearning;
  await assert.rejects(
    async () => await learn(model, { variant: 'targetSpecified', source, target: source, ...kShort }),
    code('ERR_DATA_INVALID'),
  );
  await assert.rejects(
    async () => await learn(model, { variant: 'targetSpecified', source, target: [], ...kShort }),
    code('ERR_OUT_OF_RANGE'),
  );
  await assert.rejects(
    async () => await learn(model, { variant: 'targetSpecified', source, target, ...kShort, steps: 2 }),
    code('ERR_OUT_OF_RANGE'),
  );
  const key = await Key.create();
  await assert.rejects(
    async () => await learn(model, { variant: 'ownership', source, key, patch: { channel: 1 }, ...kShort }),
    code('ERR_OUT_OF_RANGE'),
  );
  await assert.rejects(
    async () => await authorize.verifyOwnership(model, key, { domain: source }),
    code('ERR_OUT_OF_RANGE'),
  );
});

test('a key is a secret of its own, and a pattern is the same from its file', async () => {
  const [first, second] = [await Key.create(), await Key.create()];
  assert.equal(first.holds, 'secret');
  assert.equal(first.weights, 0);
  assert.equal(first.masked, null);
  assert.notEqual(first.digest, second.digest);
  const file = path.join(folder, 'owner.key');
  await first.save(file);
  if (process.platform !== 'win32') assert.equal(fs.statSync(file).mode & 0o077, 0);
  const again = await Key.load(file);
  assert.equal(again.digest, first.digest);
  const source = await stripes();
  const digest = async (by: Key) => {
    const domain = await source.patch(by, kPatch);
    return JSON.stringify((await evaluate.accuracy(await smallNet(), { domain })).report.inputs);
  };
  assert.equal(await digest(first), await digest(again));
  assert.notEqual(await digest(first), await digest(second));
  const one = await source.patch(first, kPatch);
  assert.equal(one.name, 'stripes + patch');
});

test.run();
