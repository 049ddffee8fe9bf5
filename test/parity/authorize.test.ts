import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { attack, authorize, evaluate, isEspalierError, Model, train } from '../../lib/index.js';
import { brightness, logitsOf, smallNet } from '../methods/support.js';
import { findPython, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { runPython } from './programs.js';

// Protecting and attacking, where it takes stock PyTorch to see or to make what is tested.
const folder = temporaryFolder();
const file = (name: string) => path.join(folder, name);
const timeoutMs = 120_000;

const refuses = async (run: PromiseLike<unknown>, words: RegExp) =>
  await assert.rejects(
    async () => await run,
    (error) => isEspalierError(error) && error.code === 'ERR_MODEL_UNSUPPORTED' && words.test(error.message),
  );

if (findPython() === undefined) {
  test.skip('no Python with torch beside this libtorch');
} else {
  let written: Promise<string> | undefined;
  const load = async (name: string) => {
    written ??= runPython('authorize.py', ['models', folder]);
    await written;
    return await Model.load(file(name));
  };
  const kQuick = { count: 32, steps: 2, batchSize: 16 };
  const attacks = {
    fineTune: attack.fineTune,
    retrainHead: attack.retrainHead,
    linearProbe: attack.linearProbe,
    redensify: attack.redensify,
  };
  // Those that change weights without a training.
  const changes = [attack.prune, attack.quantize, attack.maskGuess];

  const sourceAttacks = { elasticFineTune: attack.elasticFineTune, corruptedViews: attack.corruptedViews };

  test(
    'no attack, no curve and no protection begins on a frozen model',
    async () => {
      const [domain, target] = [await brightness(), await brightness(240, 4, 'other')];
      const frozen = await load('frozen.pt');
      for (const start of Object.values(attacks))
        await refuses(start(frozen, { domain, ...kQuick }), /frozen/);
      await refuses(attack.sourceRepair(frozen, { domain: target, source: domain, ...kQuick }), /frozen/);
      for (const start of Object.values(sourceAttacks))
        await refuses(start(frozen, { domain: target, source: domain, steps: 2 }), /frozen/);
      await refuses(attack.nearestNeighbour(frozen, { domain, count: 32 }), /frozen/);
      await refuses(attack.batchNormAdaptation(frozen, { domain, count: 32 }), /frozen/);
      for (const change of changes) await refuses(change(frozen, { domain }), /frozen/);
      await refuses(attack.overwrite(frozen, { domain, steps: 2 }), /frozen/);
      await refuses(
        evaluate.sampleWiseLearningCurve(frozen, { domain, counts: [8, 32], steps: 2 }),
        /frozen/,
      );
      await refuses(
        evaluate.authorization(frozen, frozen, { source: domain, target, counts: [8, 32] }),
        /frozen/,
      );
      await refuses(authorize.nonTransferablePruning(frozen, { source: domain, target }), /frozen/);
      await refuses(train.contrastive(frozen, { domain }), /frozen/);
    },
    { timeoutMs },
  );

  test(
    'nor on a model without a layer with parameters',
    async () => {
      const [domain, target] = [await brightness(), await brightness(240, 4, 'other')];
      const bare = await load('bare.pt');
      const words = /parameters/;
      for (const start of Object.values(attacks)) await refuses(start(bare, { domain, ...kQuick }), words);
      await refuses(attack.sourceRepair(bare, { domain: target, source: domain, ...kQuick }), words);
      for (const start of Object.values(sourceAttacks))
        await refuses(start(bare, { domain: target, source: domain, steps: 2 }), words);
      await refuses(attack.nearestNeighbour(bare, { domain, count: 32 }), words);
      await refuses(attack.batchNormAdaptation(bare, { domain, count: 32 }), words);
      for (const change of changes) await refuses(change(bare, { domain }), words);
      await refuses(attack.overwrite(bare, { domain, steps: 2 }), words);
      await refuses(evaluate.sampleWiseLearningCurve(bare, { domain, counts: [8, 32], steps: 2 }), words);
      await refuses(authorize.nonTransferablePruning(bare, { source: domain, target }), /expected/);
    },
    { timeoutMs },
  );

  test(
    'weights that are no numbers are neither ranked nor rounded',
    async () => {
      const domain = await brightness();
      const broken = await load('broken.pt');
      await refuses(attack.prune(broken, { domain }), /conv\.weight.*NaN/);
      await refuses(attack.quantize(broken, { domain }), /conv\.weight.*NaN/);
    },
    { timeoutMs },
  );

  test(
    'with dropout too a learning curve is the same each time, with one thread and with two',
    async () => {
      const domain = await brightness();
      const model = await load('dropout.pt');
      const options = { domain, counts: [8, 32, 96], steps: 25, batchSize: 16, seeds: 2, seed: 5 };
      const figures = async (change: object) =>
        (await evaluate.sampleWiseLearningCurve(model, { ...options, ...change })).report.figures;
      const one = await figures({ threads: 1 });
      assert.deepEqual(await figures({ threads: 1 }), one);
      assert.deepEqual(await figures({ threads: 2 }), one);
      // What is drawn is drawn from the seed: another gives other figures.
      assert.notDeepEqual((await figures({ threads: 1, seed: 6 })).curves, one.curves);
    },
    { timeoutMs },
  );

  test(
    'stock PyTorch reads a protected model: the same logits to the bit, its zeros, and nothing of the target',
    async () => {
      const [source, target] = [await brightness(), await brightness(200, 4, 'forbidden-territory')];
      const { model } = await train.supervised(await smallNet(), {
        domain: source,
        epochs: 4,
        batchSize: 16,
      });
      const { model: locked, report } = await authorize.nonTransferablePruning(model, {
        source,
        target,
        sparsity: 0.6,
        iterations: 3,
        stepsPerIteration: 4,
        polishSteps: 5,
        batchSize: 16,
        refreshBatches: 2,
        sourceFloor: 1,
        seed: 2,
      });
      await locked.save(file('locked.pt'));
      const data = Float32Array.from({ length: 16 * 64 }, (_, i) => ((i * 37) % 101) / 101);
      fs.writeFileSync(file('images.f32'), data);
      const { logits, zeros } = JSON.parse(await runPython('authorize.py', ['read', folder])) as {
        logits: string;
        zeros: { [parameter: string]: number };
      };
      const ours = await logitsOf(locked, { data, shape: [16, 1, 8, 8] });
      assert.deepEqual(ours.shape, [16, 4]);
      const bytes = Buffer.from((ours.data as Float32Array).buffer, 0, 16 * 4 * 4);
      assert.equal(logits, bytes.toString('base64'));
      const { layers, totals } = report.figures;
      for (const layer of layers) assert.equal(zeros[layer.path], layer.zeros, layer.path);
      assert.equal(totals.zeros, Math.round(totals.weights * 0.6));

      const names = fs.readdirSync(folder).filter((name) => name.startsWith('locked.pt'));
      assert.deepEqual(names.sort(), ['locked.pt', 'locked.pt.manifest.json']);
      for (const encoding of ['latin1', 'utf16le'] as const)
        assert.ok(!fs.readFileSync(file('locked.pt'), encoding).includes('forbidden-territory'));
      // Whoever has the file alone is told no more by us either.
      fs.renameSync(file('locked.pt.manifest.json'), file('kept.json'));
      const told = JSON.stringify(await (await Model.load(file('locked.pt'))).inspect());
      for (const word of ['forbidden-territory', 'brightness', 'nonTransferable', 'protected'])
        assert.ok(!told.includes(word), word);
      assert.ok(fs.readFileSync(file('kept.json'), 'utf8').includes('forbidden-territory'));
    },
    { timeoutMs },
  );
}

test.run();
