import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { authorize, type Domain, Key, type Mask, type Model, prune } from '../../lib/index.js';
import { allMethods } from '../../lib/methods.js';
import type { Report } from '../../lib/report/report.js';
import type { Run } from '../../lib/run.js';
import { brightness, smallNet, stripes } from '../methods/support.js';

// Every method on inputs small enough for a run to take a moment: for tests of what is true of all of them.

export type AnyResult = { [name: string]: unknown; report: Report<object> };

/** What the methods are given. Made anew in another process it is the same to the byte. */
export interface Setting {
  dense: Model;
  other: Model;
  sparse: Model;
  mask: Mask;
  /** Bound to the source by non-transferable pruning. */
  bound: Model;
  locked: Model;
  opener: Key;
  secret: Key;
  source: Domain;
  target: Domain;
}

export interface Recipe {
  inputs: { [name: string]: unknown };
  options: { [name: string]: unknown };
}

export async function makeSetting(folder: string): Promise<Setting> {
  const dense = await smallNet(4, 1);
  const { model: sparse, mask } = await prune.magnitude(dense, { sparsity: 0.5, scope: 'layer' });
  const { model: locked, key: opener } = await authorize.applyMask(dense, mask);
  const [source, target] = [await brightness(), await stripes()];
  const { model: bound } = await authorize.nonTransferablePruning(dense, {
    source,
    target,
    ...kPruning,
    iterations: 2,
    ...kBinding,
    threads: 1,
  });
  return {
    dense,
    other: await smallNet(4, 2),
    sparse,
    mask,
    bound,
    locked,
    opener,
    secret: await fixedKey(folder),
    source,
    target,
  };
}

/** A key whose secret is always the same. */
async function fixedKey(folder: string): Promise<Key> {
  const file = path.join(folder, `fixed-${process.pid}.key`);
  await (await Key.create()).save(file);
  const bytes = fs.readFileSync(file);
  fs.writeFileSync(file, bytes.fill(7, bytes.length - 32));
  return await Key.load(file);
}

const kBinding = { batchSize: 16, sourceFloor: 1, seed: 3 };
const kPruning = {
  sparsity: 0.5,
  stepsPerIteration: 4,
  polishSteps: 6,
  refreshBatches: 3,
  targetHead: { steps: 6, refreshSteps: 2 },
};
const kPatch = { density: 0.25, cell: 2, value: 120 };

/** By the name of the method, `:` and what is special about it. A training has `length` times a dozen steps. */
export function recipesFor(
  { dense, other, sparse, mask, bound, locked, opener, secret, source, target }: Setting,
  length = 1,
): { [name: string]: Recipe } {
  const steps = 12 * length;
  const attacked = { domain: target, count: 48 };
  const trained = { ...attacked, steps, batchSize: 16, learningRates: [1e-3, 1e-2] };
  const binding = { ...kBinding, readings: 4 };
  const generator = { latent: 8, channels: 8, steps: 8, laterSteps: 2, memory: 50, confidence: 0.1 };
  const around = {
    latent: 8,
    channels: 16,
    steps: 8,
    batchSize: 16,
    classWeight: 1,
    distances: [0.1, 0.5],
    directions: 2,
    distanceSteps: 3,
    imagesPerCell: 8,
  };
  const learning = { counts: [8, 32], steps, batchSize: 16 };
  const on = (model: Model, options: Recipe['options']): Recipe => ({ inputs: { model }, options });
  return {
    'train.supervised': on(dense, {
      domain: source,
      epochs: 2 * length,
      batchSize: 16,
      augmentation: { shift: 1, flip: true },
      optimizer: { kind: 'adam', learningRate: 1e-3 },
    }),
    'train.contrastive': on(dense, { domain: source, epochs: 2 * length, batchSize: 32 }),
    'prune.magnitude': on(dense, { sparsity: 0.5, domain: source, fineTune: { epochs: 2 * length } }),
    'prune.learnedThreshold': on(dense, {
      domain: source,
      epochs: 2 * length,
      fineTuneEpochs: 1,
      batchSize: 16,
      lambda: 0.02,
      temperature: 0.05,
      thresholdRate: 2,
    }),
    'authorize.nonTransferableLearning:targetSpecified': on(dense, {
      variant: 'targetSpecified',
      source,
      target,
      steps,
      batchNorm: 'joint',
      ...binding,
    }),
    'authorize.nonTransferableLearning:ownership': on(dense, {
      variant: 'ownership',
      source,
      key: secret,
      patch: kPatch,
      steps,
      ...binding,
      control: false,
    }),
    'authorize.nonTransferableLearning:sourceOnly': on(dense, {
      variant: 'sourceOnly',
      source,
      augmentation: around,
      steps,
      ...binding,
      control: false,
    }),
    'authorize.nonTransferableLearning:authorization': on(dense, {
      variant: 'authorization',
      source,
      target,
      key: secret,
      patch: kPatch,
      steps,
      ...binding,
      control: false,
    }),
    'authorize.nonTransferablePruning': on(dense, {
      source,
      target,
      ...kPruning,
      iterations: 3 * length,
      ...kBinding,
    }),
    'authorize.applyMask': { inputs: { model: dense, mask }, options: {} },
    'authorize.maskPruning:sourceAvailable': on(dense, {
      variant: 'sourceAvailable',
      source,
      target,
      targetLabels: 'pseudo',
      maxPruned: 0.2,
      learningRate: 4e-3,
      steps,
      ...binding,
    }),
    'authorize.maskPruning:sourceFree': on(dense, {
      variant: 'sourceFree',
      target,
      generator,
      controls: false,
      learningRate: 4e-3,
      steps,
      ...binding,
    }),
    'authorize.maskPruning:dataFree': on(dense, {
      variant: 'dataFree',
      generator,
      diversifier: { directions: 2, steps: 4, leastAccuracy: 0 },
      controls: false,
      learningRate: 4e-3,
      steps,
      ...binding,
    }),
    'authorize.removeMask': { inputs: { model: locked, key: opener }, options: {} },
    'authorize.verifyOwnership': {
      inputs: { suspect: dense, key: secret },
      options: { domain: source, honest: [other], patch: kPatch, samples: 40, wrongKeys: 4 },
    },
    'evaluate.accuracy': on(dense, { domain: source }),
    'evaluate.domains': { inputs: { models: [dense, sparse], domains: [source, target] }, options: {} },
    'evaluate.sampleWiseLearningCurve': on(dense, { domain: target, ...learning, seeds: 2 }),
    'evaluate.sourceTargetDrop': {
      inputs: { original: dense, protected: sparse },
      options: { source, target: [target], resamples: 500 },
    },
    'evaluate.authorization': {
      inputs: { original: dense, protected: bound },
      options: {
        source,
        target,
        ...learning,
        counts: [16],
        steps: 4 * length,
        stepFactors: [1],
        learningRate: 1e-2,
        attacks: ['fine-tune'],
      },
    },
    'attack.fineTune': on(dense, { ...trained, checkpoints: [5] }),
    'attack.retrainHead': on(dense, trained),
    'attack.sourceRepair': on(dense, { ...trained, source }),
    'attack.elasticFineTune': on(dense, {
      ...trained,
      count: undefined,
      source,
      fraction: 0.5,
      fisherSamples: 20,
      lambda: 10,
    }),
    'attack.corruptedViews': on(dense, { ...trained, count: undefined, source, fraction: 0.5, rho: 0.1 }),
    'attack.redensify': on(sparse, trained),
    'attack.prune': on(dense, { ...trained, sparsity: [0.5, 0.9] }),
    'attack.quantize': on(dense, { domain: target, bits: [5, 3] }),
    'attack.maskGuess': on(sparse, { domain: target, refill: 'he', tries: 3 }),
    'attack.overwrite': on(dense, { domain: source, fraction: 0.5, steps, batchSize: 16 }),
    'attack.batchNormAdaptation': on(dense, { ...attacked, steps: 4, batchSize: 16 }),
    'attack.linearProbe': on(dense, trained),
    'attack.nearestNeighbour': on(dense, attacked),
  };
}

/** Starts a recipe on one thread, with more options of every run; in an object, for a run is awaited where it is returned. */
export function startRecipe(name: string, { inputs, options }: Recipe, how: object): { run: Run<AnyResult> } {
  const method = allMethods.find((each) => each.name === methodOf(name));
  if (method === undefined) throw new Error(`expected a method's name, received ${name}`);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { run: method.start(inputs, { threads: 1, ...Object.fromEntries(given), ...how }) };
}

export const methodOf = (recipe: string) => recipe.split(':')[0] as string;

/** All that a run ends with, byte for byte, apart from what a clock says. */
export async function endOf(result: AnyResult, folder: string): Promise<{ [name: string]: string }> {
  const end: { [name: string]: string } = {};
  for (const [name, output] of Object.entries(result)) {
    if (name === 'report') continue;
    end[name] = await digestOf(output, folder);
  }
  end.figures = JSON.stringify(result.report.figures, (key, value) => (key === 'seconds' ? null : value));
  return end;
}

async function digestOf(output: unknown, folder: string): Promise<string> {
  if (output === null || output === undefined) return 'none';
  const { save, digest } = output as {
    save?: (file: string, how?: object) => Promise<void>;
    digest?: string;
  };
  if (digest !== undefined) return digest;
  if (save === undefined) throw new Error('expected an output that can be saved');
  const file = path.join(folder, `end-${process.pid}.pt`);
  await (output as Model).save(file, { manifest: 'none' });
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}
