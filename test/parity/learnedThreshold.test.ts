import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Dataset, Domain, Mask, Model, prune } from '../../lib/index.js';
import type { LearnedThresholdOptions } from '../../lib/prune/learnedThreshold.js';
import { runCommand } from '../support/child.js';
import { findPython, root, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';

// docs/methods/prune.learnedThreshold.md: what parity is claimed.
const kFloat64 = 1e-9;
const kFloat32 = 1e-5;
const kStarts = 6;
const kWeights = 614;

type Options = Omit<LearnedThresholdOptions, 'domain'>;
interface Case {
  start: string;
  seed: number;
  options: Options;
}

// Ten epochs of five batches. All that the reference reads is here: it knows no default.
const fifty = {
  epochs: 10,
  fineTuneEpochs: 0,
  refreshBatches: 0,
  batchSize: 16,
  lambda: 0.005,
  temperature: 0.05,
  thresholdRule: 'normalised',
  thresholdRate: 1,
  layerRates: {},
  weightGradient: 'approximate',
  initialDensity: 1,
  maxLayerSparsity: 0.999,
  optimizer: { learningRate: 0.02, momentum: 0.9, nesterov: false, weightDecay: 0 },
  keepZeros: false,
} satisfies Options;
type Changes = Partial<Options>;

const plain = { thresholdRule: 'plain', thresholdRate: 1e-6 } as const;
const optimizers = {
  sgd: { learningRate: 0.02, momentum: 0, nesterov: false, weightDecay: 0 },
  momentum: { learningRate: 0.02, momentum: 0.9, nesterov: false, weightDecay: 0 },
  nesterov: { learningRate: 0.02, momentum: 0.9, nesterov: true, weightDecay: 1e-3 },
};

function casesOf(): Record<string, Case> {
  const cases: Record<string, Case> = {};
  const add = (name: string, changes: Changes, start = 'float64-0') => {
    cases[name] = { start, seed: 7, options: { ...fifty, ...changes } };
  };
  for (const [rule, ofRule] of Object.entries({ normalised: {}, plain })) {
    for (const weightGradient of ['approximate', 'exact'] as const) {
      for (const [name, optimizer] of Object.entries(optimizers)) {
        // The exact gradient is of order 1 / temperature: larger steps with it are chaotic, whoever computes them.
        const learningRate = weightGradient === 'exact' ? 0.002 : 0.02;
        add(`${rule} ${weightGradient} ${name}`, {
          ...ofRule,
          weightGradient,
          optimizer: { ...optimizer, learningRate },
        });
      }
    }
    add(`${rule} target`, { ...ofRule, target: { density: 0.7 } });
    add(`${rule} cap`, { ...ofRule, maxLayerSparsity: 0.15 });
  }
  add('started above, by layer', { initialDensity: 0.8, layerRates: { 'c2.weight': 0.5, 'fc.weight': 0 } });
  add('pruned before', { keepZeros: true }, 'float64-zeros');
  for (let start = 0; start < kStarts; start++) {
    const weightGradient = start % 2 === 0 ? 'approximate' : 'exact';
    const rule = start < kStarts / 2 ? {} : plain;
    const one = { epochs: 1, batchSize: 80, initialDensity: 0.8, weightGradient } as const;
    add(`step ${start}`, { ...one, ...rule }, `float32-${start}`);
  }
  add('drift', {}, 'float32-0');
  return cases;
}

interface Difference {
  weights: number;
  thresholds: number;
  temperatures: number;
  gradients: number;
  losses: number;
  masks: number;
  densities: number;
  undone: number;
  reached: number;
  seen: { density: number[]; undone: number; reached: boolean };
}

const python = findPython();
const folder = temporaryFolder();
const file = (name: string) => path.join(folder, name);

async function reference(command: string): Promise<string> {
  const script = path.join(root, 'test/parity/learned_threshold.py');
  const result = await runCommand(python as string, [script, command, folder], { deadlineMs: 200_000 });
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}

async function pruneAll(cases: Record<string, Case>): Promise<void> {
  const fit = await Dataset.open({ images: file('images.npy'), labels: file('labels.npy') });
  const domain = await Domain.open({ name: 'parity', fit, select: fit });
  for (const [name, { start, seed, options }] of Object.entries(cases)) {
    const dense = await Model.load(file(`${start}.pt`));
    const { model, mask, report } = await prune.learnedThreshold(dense, { ...options, domain, seed });
    assert.equal(mask.weights, kWeights);
    assert.equal((await Mask.of(model)).digest, mask.digest);
    await model.save(file(`${name}.out.pt`));
    fs.writeFileSync(file(`${name}.json`), JSON.stringify(report.figures));
  }
}

function within(limit: number, name: string, difference: Difference): void {
  for (const what of ['weights', 'thresholds', 'temperatures', 'gradients', 'losses'] as const)
    assert.ok(difference[what] <= limit, `${name}: ${what} differ by ${difference[what]}`);
  for (const what of ['masks', 'densities', 'undone', 'reached'] as const)
    assert.equal(difference[what], 0, `${name}: ${what}`);
}

if (python === undefined) {
  test.skip('no Python with torch beside this libtorch');
} else {
  // Made once, by whichever test comes first: a hook that fails would fail without a word.
  let made: Promise<Map<string, Difference>> | undefined;
  const compared = () => {
    made ??= (async () => {
      const cases = casesOf();
      fs.writeFileSync(file('cases.json'), JSON.stringify(cases));
      await reference('prepare');
      await pruneAll(cases);
      const differences = JSON.parse(await reference('compare')) as Record<string, Difference>;
      return new Map(Object.entries(differences));
    })();
    return made;
  };
  const options = { timeoutMs: 280_000 };

  const seen = async (part: string) => {
    const found = [...(await compared())].filter(([name]) => name.includes(part));
    assert.ok(found.length > 0, part);
    return found.map(([, difference]) => difference);
  };

  test(
    '50 steps in float64 end within 1e-9 of plain PyTorch, with the same masks',
    async () => {
      const cases = [...(await compared())].filter(([name]) => !/^(step|drift)/.test(name));
      assert.equal(cases.length, 18);
      for (const [name, difference] of cases) within(kFloat64, name, difference);
    },
    options,
  );

  test(
    'a step in float32 stays within 1e-5 of the largest value of a tensor',
    async () => {
      const cases = [...(await compared())].filter(([name]) => name.startsWith('step'));
      assert.equal(cases.length, kStarts);
      for (const [name, difference] of cases) within(kFloat32, name, difference);
      const drift = (await compared()).get('drift');
      console.log(`float32, 50 steps: weights ${drift?.weights}, thresholds ${drift?.thresholds}`);
    },
    options,
  );

  test(
    'the cases see what they are named for: weights pruned, a target reached, steps undone',
    async () => {
      for (const { seen: found } of await seen(' ')) assert.ok(Math.min(...found.density) < 1);
      for (const { seen: found } of await seen('target')) assert.equal(found.reached, true);
      for (const { seen: found } of await seen('cap')) assert.ok(found.undone > 0);
    },
    options,
  );
}

test.run();
