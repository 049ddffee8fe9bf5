import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Model } from '../../../lib/model.js';
import { tinyDataset } from '../../../test/support/tiny.js';
import { footprint, repeat, type Work } from '../measure.js';

const kWidths = [32, 64, 128];

/** Models and datasets made and disposed, one after another. */
export async function cycles(work: Work) {
  return await withFile((file) =>
    repeat(work, async () => {
      const model = await Model.load(file);
      const dataset = await tinyDataset(64);
      await model.dispose();
      await dataset.dispose();
    }),
  );
}

/** The same models forgotten: nothing but garbage collection frees them. */
export async function forgotten(work: Work) {
  return await withFile(async (file) => {
    const first = await Model.load(file);
    const modelMegabytes = first.parameters.reduce((sum, { count }) => sum + 4 * count, 0) / 1e6;
    const { residentMegabytes: before } = footprint();
    const series = await repeat(work, async () => {
      await Model.load(file);
    });
    return { ...series, modelMegabytes, grownMegabytes: series.peakMegabytes - before };
  });
}

async function withFile<T>(body: (file: string) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-soak-'));
  try {
    const file = path.join(folder, 'model.pt');
    const model = await Model.create('convnet', { classes: 10, widths: kWidths, seed: 1 });
    await model.save(file);
    await model.dispose();
    return await body(file);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
