import { Dataset } from '../../lib/dataset.js';
import { Domain } from '../../lib/domain.js';
import { Model } from '../../lib/model.js';
import type { Progress, Run } from '../../lib/run.js';
import { type SupervisedOptions, supervised } from '../../lib/train/supervised.js';

// Things small enough to be made anew in every test.

export const kClasses = 4;
const kSize = 16;

/** Images whose brightest quadrant is their class: learned in an epoch or two. */
export function tinyDataset(count = 256): Promise<Dataset> {
  const pixels = kSize * kSize;
  const data = new Uint8Array(count * pixels);
  const labels = Array.from({ length: count }, (_, i) => i % kClasses);
  for (let i = 0; i < count; i++) {
    for (let at = 0; at < pixels; at++) {
      const quadrant = (at >= pixels / 2 ? 2 : 0) + (at % kSize >= kSize / 2 ? 1 : 0);
      data[i * pixels + at] = (quadrant === labels[i] ? 160 : 20) + ((i * 31 + at * 17) % 60);
    }
  }
  return Dataset.from({ data, shape: [count, 1, kSize, kSize], labels, classes: kClasses });
}

export async function tinyDomain(count = 256): Promise<Domain> {
  return Domain.open({ name: 'quadrants', fit: await tinyDataset(count), report: await tinyDataset(64) });
}

export function tinyModel(seed = 1): Promise<Model> {
  return Model.create('convnet', {
    classes: kClasses,
    inChannels: 1,
    inputSize: kSize,
    widths: [4, 8],
    seed,
  });
}

export const tinyInput = () => ({ data: new Float32Array(kSize * kSize), shape: [1, 1, kSize, kSize] });

/** A run that ends only when it is made to; in an object, because a run is awaited where it is returned. */
export async function longRun(options: Partial<SupervisedOptions> = {}, model?: Model) {
  const domain = options.domain ?? (await tinyDomain());
  const given = { epochs: 100_000, batchSize: 32, ...options, domain };
  return { run: supervised(model ?? (await tinyModel()), given) };
}

export async function firstProgress(run: Run<unknown>): Promise<Progress> {
  for await (const progress of run) return progress;
  throw new Error('the run ended without progress');
}
