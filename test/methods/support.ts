import { Dataset, Domain, Model, type Tensor } from '../../lib/index.js';

// Classes that a small network tells apart at once: images whose brightness says the class.
export async function brightness(count = 240, classes = 4, name = 'brightness'): Promise<Domain> {
  return await Domain.open({ name, ...(await brightnessParts(count, classes)) });
}

export async function brightnessParts(count = 240, classes = 4) {
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
  const all = await Dataset.from({ data, shape: [count, 1, size, size], labels, classes });
  const [fit, select, report] = await all.split([0.6, 0.2, 0.2], { seed: 1 });
  return { fit: fit as Dataset, select: select as Dataset, report: report as Dataset };
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
