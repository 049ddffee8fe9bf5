import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Dataset, Domain, Model, prune, type Tensor, train } from '../../lib/index.js';
import { runCommand } from '../support/child.js';
import { findPython, root, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';

// docs/methods/train.supervised.md and prune.magnitude.md: what parity is claimed.
const kFloat64 = 1e-9;
const kFloat32 = 1e-5;
const kSteps = 6;

const python = findPython();
const folder = temporaryFolder();
const file = (name: string) => path.join(folder, name);

async function reference(command: string): Promise<string> {
  const script = path.join(root, 'test/parity/training.py');
  const result = await runCommand(python as string, [script, command, folder], { deadlineMs: 120_000 });
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}

interface Comparison {
  training: Record<string, number>;
  masks: Record<string, number>;
  logits: Record<string, number>;
}

async function domain(): Promise<Domain> {
  const fit = await Dataset.open({ images: file('images.npy'), labels: file('labels.npy') });
  return await Domain.open({ name: 'parity', fit, select: fit });
}

const optimizers = {
  sgd: { kind: 'sgd', learningRate: 0.05, momentum: 0.9, nesterov: true, weightDecay: 5e-4 },
  adam: { kind: 'adam', learningRate: 0.01, weightDecay: 1e-3, epsilon: 1e-3 },
  adamw: { kind: 'adamw', learningRate: 0.01, weightDecay: 1e-2, epsilon: 1e-3 },
} as const;

async function trainAll(data: Domain): Promise<void> {
  const cases = fs.readdirSync(folder).filter((name) => /^(scripted|traced)-.*\.in\.pt$/.test(name));
  for (const name of cases) {
    const optimizer = optimizers[name.split('-')[1] as keyof typeof optimizers];
    const { model } = await train.supervised(await Model.load(file(name)), {
      domain: data,
      // The whole set is one batch: the order of samples does not matter, only what a step computes.
      batchSize: 48,
      epochs: name.includes('float64') ? kSteps : 1,
      optimizer,
      schedule: { kind: 'constant' },
      labelSmoothing: 0.1,
    });
    await model.save(file(name.replace('.in.pt', '.out.pt')));
  }
}

async function pruneAll(): Promise<void> {
  const options = [0, 0.5, 0.9, 0.98].flatMap((sparsity) => [
    { name: `global-${sparsity === 0 ? '0.0' : sparsity}`, sparsity, scope: 'global' as const },
    { name: `layer-${sparsity === 0 ? '0.0' : sparsity}`, sparsity, scope: 'layer' as const },
  ]);
  const images = readImages(file('images.npy'));
  for (const { name, ...own } of [
    ...options,
    { name: 'channel-0.5', sparsity: 0.5, scope: 'layer' as const, structure: 'channel' as const },
  ]) {
    const { model } = await prune.magnitude(await Model.load(file('masks.in.pt')), { ...own, threads: 1 });
    await model.save(file(`masks-${name}.out.pt`));
    const logits = (await model.forward([images])) as Tensor;
    fs.writeFileSync(file(`masks-${name}.logits.npy`), npy(logits));
  }
}

function readImages(name: string): Tensor {
  const bytes = fs.readFileSync(name);
  const start = 10 + bytes.readUInt16LE(8);
  return { data: new Float32Array(new Uint8Array(bytes.subarray(start)).buffer), shape: [48, 3, 12, 12] };
}

function npy(tensor: Tensor): Buffer {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${tensor.shape.join(', ')}), }`;
  const padded = header.padEnd(117, ' ').concat('\n');
  const prefix = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8]);
  return Buffer.concat([
    prefix,
    Buffer.from(padded),
    Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength),
  ]);
}

if (python === undefined) {
  test.skip('no Python with torch beside this libtorch');
} else {
  // Made once, by whichever test comes first: a hook that fails would fail without a word.
  let made: Promise<Comparison> | undefined;
  const compared = () => {
    made ??= (async () => {
      await reference('prepare');
      await trainAll(await domain());
      await pruneAll();
      return JSON.parse(await reference('compare')) as Comparison;
    })();
    return made;
  };
  const options = { timeoutMs: 240_000 };

  test(
    'training in float64 stays within 1e-9 of PyTorch, scripted and traced, each optimiser',
    async () => {
      const comparison = await compared();
      const cases = Object.entries(comparison.training).filter(([name]) => name.endsWith('float64'));
      assert.equal(cases.length, 6);
      for (const [name, error] of cases) assert.ok(error <= kFloat64, `${name}: ${error}`);
    },
    options,
  );

  test(
    'a step in float32 stays within 1e-5 of the largest value of a tensor',
    async () => {
      const comparison = await compared();
      const cases = Object.entries(comparison.training).filter(([name]) => name.includes('float32'));
      assert.equal(cases.length, 18);
      for (const [name, error] of cases) assert.ok(error <= kFloat32, `${name}: ${error}`);
    },
    options,
  );

  test(
    'masks are those of torch.nn.utils.prune, and kept weights are untouched',
    async () => {
      const comparison = await compared();
      assert.equal(Object.keys(comparison.masks).length, 9);
      for (const [name, different] of Object.entries(comparison.masks)) assert.equal(different, 0, name);
    },
    options,
  );

  test(
    'stock PyTorch gives the same logits for a pruned model, bit for bit',
    async () => {
      const comparison = await compared();
      for (const [name, different] of Object.entries(comparison.logits)) assert.equal(different, 0, name);
    },
    options,
  );
}

test.run();
