import { Model, type Tensor, type Value } from 'espalier';

export async function use(): Promise<Tensor> {
  await using model = await Model.create('lenet5', { classes: 10, inChannels: 1, seed: 1 });
  const input: Tensor = { data: new Float32Array(32 * 32), shape: [1, 1, 32, 32] };
  const output: Value = await model.forward([input]);
  // @ts-expect-error: no such architecture
  await Model.create('no-such', { classes: 10, seed: 1 });
  return output as Tensor;
}
