import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { authorize, Dataset, Domain, Model } from '../../lib/index.js';
import { runCommand } from '../support/child.js';
import { findPython, root, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';

const kFloat64 = 1e-9;

// All that the reference reads is here: it knows no default.
const base = {
  variant: 'sourceAvailable',
  targetLabels: 'given',
  lambda: 0.1,
  beta: 1,
  capOver: 'batch',
  scoreStart: 0.01,
  threshold: 0.005,
  learningRate: 1e-3,
  steps: 40,
  readings: 4,
  batchSize: 16,
  sourceFloor: 1, // every mask holds it: the last is returned
  controls: false,
} as const;

const cases = {
  plain: {},
  'pseudo-labels': { targetLabels: 'pseudo' },
  'target capped': { lambda: 0.6 },
  'samples capped': { lambda: 0.6, capOver: 'sample' },
  'another threshold': { threshold: 0.008, learningRate: 5e-4 },
} as const;
const kSeed = 7;

interface Difference {
  weights: number;
  masks: number;
  figures: Record<string, number>;
  seen: { pruned: number; target: number[] };
}

const python = findPython();
const folder = temporaryFolder();
const file = (name: string) => path.join(folder, name);

async function reference(command: string): Promise<string> {
  const script = path.join(root, 'test/parity/mask_pruning.py');
  const result = await runCommand(python as string, [script, command, folder], { deadlineMs: 200_000 });
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}

async function domain(name: string): Promise<Domain> {
  const fit = await Dataset.open({ images: file(`${name}-images.npy`), labels: file(`${name}-labels.npy`) });
  return await Domain.open({ name, fit, select: fit });
}

async function compared(): Promise<Map<string, Difference>> {
  const all = Object.entries(cases).map(([name, changes]) => [
    name,
    { seed: kSeed, options: { ...base, ...changes } },
  ]);
  fs.writeFileSync(file('cases.json'), JSON.stringify(Object.fromEntries(all)));
  await reference('prepare');
  const [source, target] = [await domain('source'), await domain('target')];
  for (const [name, changes] of Object.entries(cases)) {
    const { model, mask, report } = await authorize.maskPruning(await Model.load(file('start.pt')), {
      ...base,
      ...changes,
      source,
      target,
      seed: kSeed,
    });
    await model.save(file(`${name}.out.pt`), { manifest: 'none' });
    await mask.save(file(`${name}.mask`));
    fs.writeFileSync(file(`${name}.json`), JSON.stringify(report.figures));
  }
  return new Map(Object.entries(JSON.parse(await reference('compare')) as Record<string, Difference>));
}

if (python === undefined) {
  test.skip('no Python with torch beside this libtorch');
} else {
  test(
    'forty steps in float64 give the masks of plain PyTorch, and the figures to 1e-9',
    async () => {
      const all = await compared();
      assert.equal(all.size, Object.keys(cases).length);
      for (const [name, { weights, masks, figures, seen }] of all) {
        assert.equal(weights + masks, 0, name);
        assert.ok(seen.pruned > 0.02 && seen.pruned < 0.9, `${name}: ${seen.pruned} pruned`);
        for (const [figure, by] of Object.entries(figures))
          assert.ok(by <= kFloat64, `${name}: ${figure} differs by ${by}`);
      }
      const capped = all.get('target capped')?.seen.target ?? [];
      assert.ok(capped.some((value) => value > 1) && capped.some((value) => value < 1), String(capped));
    },
    { timeoutMs: 280_000 },
  );
}

test.run();
