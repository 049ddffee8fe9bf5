import fs from 'node:fs';
import path from 'node:path';
import type { DataSource } from '../../lib/data/open.js';
import { Dataset } from '../../lib/dataset.js';
import { Model } from '../../lib/model.js';
import type { Value } from '../../lib/value.js';
import { start } from './runs.js';

/** Tells what a mutant that loaded is now put to: what its own program does is judged apart. */
export type Tell = (stage: 'forward') => void;

/** Opens the mutant of a folder and uses what came out of it. */
export async function open(format: string, folder: string, tell: Tell): Promise<void> {
  const inFolder = (name: string) => path.join(folder, name);
  if (format === 'archive') return openModel(inFolder('model.pt'), tell);
  if (format === 'checkpoint') {
    return start(fs.readFileSync(inFolder('name'), 'utf8'), { resume: inFolder('run.ckpt') });
  }
  return openDataset(sourceOf(format, inFolder));
}

function sourceOf(format: string, inFolder: (name: string) => string): DataSource {
  if (format === 'idx') return { images: inFolder('images'), labels: inFolder('labels') };
  if (format === 'npy') return { images: inFolder('images.npy'), labels: inFolder('labels.npy') };
  return inFolder({ npz: 'data.npz', safetensors: 'data.safetensors', images: 'images' }[format] ?? '');
}

async function openDataset(source: DataSource): Promise<void> {
  await using dataset = await Dataset.open(source);
  await dataset.digest();
  if (dataset.length === 0) return;
  await using some = await dataset.take(1, { seed: 1 });
  await some.digest();
}

// The shapes that the whole models take; one of them fits most mutants.
const kInputs = [
  [1, 1, 8, 8],
  [2, 3, 4],
  [2, 4],
  [2, 3],
  [1, 3, 4, 4],
];

// What a forward may end with that does what its program says.
const kOfForward = ['ERR_MODEL_RUN', 'ERR_MODEL_UNSUPPORTED', 'ERR_OUT_OF_MEMORY'];

async function openModel(file: string, tell: Tell): Promise<void> {
  await using model = await Model.load(file);
  await model.inspect();
  tell('forward');
  for (const shape of kInputs) {
    const count = shape.reduce((product, size) => product * size, 1);
    const input: Value = { data: Float32Array.from({ length: count }, (_, i) => i / count), shape };
    const answered = await model.forward([input]).then(
      () => true,
      (error: { code?: string }) => {
        // A wrong shape, most of the time.
        if (!kOfForward.includes(error.code ?? '')) throw error;
        return false;
      },
    );
    if (answered) return;
  }
}
