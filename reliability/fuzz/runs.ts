import { Dataset } from '../../lib/dataset.js';
import { Domain } from '../../lib/domain.js';
import { Model } from '../../lib/model.js';
import { learnedThreshold, magnitude } from '../../lib/prune/index.js';
import type { RunOptions } from '../../lib/schema/runOptions.js';
import { supervised } from '../../lib/train/index.js';

// Runs of a few steps whose checkpoints hold what a checkpoint can: optimizer and generators, memos, sub-runs with
// their models, masks, trails.

const kCount = 24;

async function domain(): Promise<Domain> {
  const dataset = (factor: number) => {
    const data = Uint8Array.from({ length: kCount * 64 }, (_, i) => (i * factor + (i >> 6)) & 255);
    const labels = Array.from({ length: kCount }, (_, i) => i % 3);
    return Dataset.from({ data, shape: [kCount, 1, 8, 8], labels, classes: 3 });
  };
  return Domain.open({ name: 'fuzz', fit: await dataset(37), select: await dataset(41) });
}

const model = () =>
  Model.create('convnet', { classes: 3, inChannels: 1, inputSize: 8, widths: [2, 3], seed: 1 });

export const kCheckpointRuns: {
  [name: string]: (model: Model, domain: Domain, run: RunOptions) => PromiseLike<unknown>;
} = {
  supervised: (of, on, run) => supervised(of, { domain: on, epochs: 2, batchSize: 8, ...run }),
  magnitude: (of, on, run) =>
    magnitude(of, { domain: on, sparsity: 0.5, gradual: { steps: 2 }, fineTune: { batchSize: 8 }, ...run }),
  learnedThreshold: (of, on, run) =>
    learnedThreshold(of, { domain: on, epochs: 2, fineTuneEpochs: 1, batchSize: 8, ...run }),
};

/** One of them from its start, or from a checkpoint. */
export async function start(name: string, options: RunOptions): Promise<void> {
  await kCheckpointRuns[name]!(await model(), await domain(), { threads: 1, seed: 1, ...options });
}
