import { readFileSync } from 'node:fs';
import path from 'node:path';
import { authorize, Dataset, Domain, Model, prune, type Tensor } from '../../lib/index.js';
import { temporaryFolder } from '../support/paths.js';

// Classes that a small network tells apart at once: images whose brightness says the class.
export async function brightness(count = 240, classes = 4, name = 'brightness'): Promise<Domain> {
  return await Domain.open({ name, ...(await brightnessParts(count, classes)) });
}

export async function brightnessParts(count = 240, classes = 4) {
  const all = await Dataset.from({ ...brightnessSamples(count, classes), classes });
  const [fit, select, report] = await all.split([0.6, 0.2, 0.2], { seed: 1 });
  return { fit: fit as Dataset, select: select as Dataset, report: report as Dataset };
}

export function brightnessSamples(count: number, classes: number) {
  const size = 8;
  const data = new Uint8Array(count * size * size);
  const labels: number[] = [];
  let state = 12345;
  for (let i = 0; i < count; i++) {
    labels.push(i % classes);
    for (let k = 0; k < size * size; k++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      data[i * size * size + k] = ((i % classes) * 200) / classes + ((state >>> 16) % 40);
    }
  }
  return { data, shape: [count, 1, size, size], labels };
}

// Stripes whose direction and width say the class.
export async function stripes(
  count = 240,
  { name = 'stripes', contrast = 160, size = 8 } = {},
): Promise<Domain> {
  const data = new Uint8Array(count * size * size);
  const labels: number[] = [];
  let state = 4321;
  for (let i = 0; i < count; i++) {
    labels.push(i % 4);
    const wide = i % 4 < 2 ? 2 : 1;
    for (let k = 0; k < size * size; k++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const along = i % 2 === 0 ? k % size : Math.floor(k / size);
      data[i * size * size + k] = (Math.floor(along / wide) % 2) * contrast + ((state >>> 16) % 60);
    }
  }
  const all = await Dataset.from({ data, shape: [count, 1, size, size], labels, classes: 4 });
  const [fit, select, report] = await all.split([0.6, 0.2, 0.2], { seed: 1 });
  return await Domain.open({
    name,
    fit: fit as Dataset,
    select: select as Dataset,
    report: report as Dataset,
  });
}

export async function smallNet(classes = 4, seed = 1): Promise<Model> {
  return await Model.create('convnet', { classes, inChannels: 1, inputSize: 8, widths: [6, 8], seed });
}

// Zeros per prunable weight, by path.
export async function zerosOf(model: Model): Promise<Map<string, number>> {
  const { parameters } = await model.inspect();
  const prunable = new Set(
    model.layers.filter((layer) => layer.prunable).map(({ path }) => `${path}.weight`),
  );
  return new Map(parameters.filter(({ path }) => prunable.has(path)).map(({ path, zeros }) => [path, zeros]));
}

export const logitsOf = async (model: Model, input: Tensor): Promise<Tensor> =>
  (await model.forward([input])) as Tensor;

// The values of each prunable weight, by path: what a key holds of a mask that keeps nothing.
export async function weightsOf(model: Model): Promise<Map<string, Float32Array>> {
  const folder = temporaryFolder();
  const { mask } = await prune.magnitude(model, { sparsity: 1 });
  const { key } = await authorize.applyMask(model, mask);
  const file = path.join(folder, 'all.key');
  await key.save(file);
  const bytes = readFileSync(file);
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, begin)) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  const values = Object.entries(header).filter(([name]) => name.startsWith('values:'));
  return new Map(
    values.map(
      ([
        name,
        {
          data_offsets: [from, to],
        },
      ]) => [
        name.slice('values:'.length),
        new Float32Array(Uint8Array.from(bytes.subarray(begin + from, begin + to)).buffer),
      ],
    ),
  );
}
