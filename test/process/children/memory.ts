// Under a limit on its address space it asks for more than there is, in one way after another, and prints the code of
// each failure; without an argument, the address space that the same work takes without any of them.
import fs from 'node:fs';
import { Dataset } from '../../../lib/dataset.js';
import { Domain } from '../../../lib/domain.js';
import type { ErrorFacts } from '../../../lib/errors.js';
import { Model } from '../../../lib/model.js';
import { supervised } from '../../../lib/train/supervised.js';
import { tinyDomain, tinyInput, tinyModel } from '../../support/tiny.js';

const kSize = 64;

async function images(count: number): Promise<Domain> {
  const data = new Uint8Array(count * kSize * kSize);
  const labels = new Int32Array(count).map((_, i) => i % 2);
  const fit = await Dataset.from({ data, shape: [count, 1, kSize, kSize], labels, classes: 2 });
  return Domain.open({ name: 'zeros', fit, select: 0 });
}

const wideModel = (classes = 2) =>
  Model.create('convnet', { classes, inChannels: 1, inputSize: kSize, widths: [64], seed: 1 });

const tooMuch: { [name: string]: () => Promise<unknown> } = {
  dataset: () => images(75_000),
  batch: async () =>
    supervised(await wideModel(), { domain: await images(4096), epochs: 1, batchSize: 4096 }),
  model: () =>
    Model.create('convnet', { classes: 2, inChannels: 1, inputSize: kSize, widths: [8192, 8192], seed: 1 }),
  forward: async () => {
    const data = new Float32Array(1024 * kSize * kSize);
    return (await wideModel()).forward([{ data, shape: [1024, 1, kSize, kSize] }]);
  },
  output: async () => {
    const model = await Model.create('convnet', {
      classes: 60_000,
      inChannels: 1,
      inputSize: 8,
      widths: [1],
      seed: 1,
    });
    return model.forward([{ data: new Float32Array(1300 * 64), shape: [1300, 1, 8, 8] }]);
  },
};

// A whole small job: that the process lives is that this works.
async function works(): Promise<void> {
  const model = await tinyModel();
  await model.forward([tinyInput()]);
  await supervised(model, { domain: await tinyDomain(64), epochs: 1, batchSize: 32, threads: 2 });
}

await works();
if (process.argv[2] === undefined) {
  console.log(/^VmPeak:\s+(\d+) kB$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]);
} else {
  for (const [name, attempt] of Object.entries(tooMuch)) {
    const end = await attempt().then(
      () => 'done',
      (error: Partial<ErrorFacts> & Error) => error.code ?? `${error}`,
    );
    await works();
    console.log(`${name} ${end}`);
  }
}
