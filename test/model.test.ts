import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import type { ErrorCode, ErrorFacts } from '../lib/errors.js';
import { Model } from '../lib/model.js';
import type { Tensor } from '../lib/value.js';
import { temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';
import { tinyInput, tinyModel } from './support/tiny.js';

const folder = temporaryFolder();

async function refusal(code: ErrorCode, body: Promise<unknown>): Promise<Error & ErrorFacts> {
  const error = await body.then(
    () => new Error('it was accepted'),
    (thrown) => thrown,
  );
  assert.is((error as ErrorFacts).code, code, String(error));
  return error as Error & ErrorFacts;
}

const logits = async (model: Model) => ((await model.forward([tinyInput()])) as Tensor).data;

test('a created model tells its layers and parameters', async () => {
  const model = await tinyModel();
  const convolutions = model.layers.filter(({ kind }) => kind === 'conv2d');
  assert.equal(
    convolutions.map(({ weightShape }) => weightShape),
    [
      [4, 1, 3, 3],
      [8, 4, 3, 3],
    ],
  );
  assert.ok(convolutions.every(({ prunable, bias, norm }) => prunable && !bias && norm !== undefined));
  assert.is(model.layers.at(-1)?.kind, 'linear');
  assert.is(model.device, 'cpu');
  for (const { shape, count } of model.parameters)
    assert.is(
      shape.reduce((a, b) => a * b, 1),
      count,
    );
});

test('the same seed makes the same weights, another seed others', async () => {
  const digest = async (seed: number) => (await (await tinyModel(seed)).inspect()).digest;
  assert.is(await digest(1), await digest(1));
  assert.is.not(await digest(1), await digest(2));
});

test('a saved model loads with the same logits', async () => {
  const model = await tinyModel();
  const file = path.join(folder, 'model.pt');
  await model.save(file);
  const loaded = await Model.load(file);
  assert.equal(await logits(loaded), await logits(model));
  assert.equal(loaded.layers, model.layers);
});

test('preprocessing given at load is kept, and saved without a manifest is refused', async () => {
  const file = path.join(folder, 'plain.pt');
  await (await tinyModel()).save(file);
  const model = await Model.load(file, { preprocessing: { mean: [0.5], std: [0.25] } });
  await refusal('ERR_MODEL_SAVE', model.save(path.join(folder, 'none.pt'), { manifest: 'none' }));
  await model.save(path.join(folder, 'public.pt'), { manifest: 'public' });
  const { manifest } = await (await Model.load(path.join(folder, 'public.pt'))).inspect();
  assert.match(JSON.stringify(manifest), '0.25');
});

test('a file that is none is ERR_IO, a damaged one ERR_MODEL_LOAD, each with its name', async () => {
  const missing = path.join(folder, 'missing.pt');
  assert.match((await refusal('ERR_IO', Model.load(missing))).message, missing);
  await refusal('ERR_MODEL_LOAD', Model.load(fileURLToPath(import.meta.url)));
});

test('clone and reinitialize are new models', async () => {
  const model = await tinyModel();
  const twin = await model.clone();
  assert.equal(await logits(twin), await logits(model));
  const fresh = await model.reinitialize({ seed: 9 });
  assert.not.equal(await logits(fresh), await logits(model));
  const partly = await model.reinitialize({ seed: 9, keep: ['*'] });
  assert.equal(await logits(partly), await logits(model));
  assert.equal(await logits(await model.to('cpu')), await logits(model));
});

test('inspect counts zeros and tells what each layer costs', async () => {
  const model = await tinyModel();
  const plain = await model.inspect();
  assert.is(plain.multiplyAccumulates, null);
  const info = await model.inspect({ inputShape: [1, 1, 16, 16] });
  assert.is(info.costs[0]?.multiplyAccumulates, 16 * 16 * 4 * 9);
  assert.equal(info.costs[0]?.outputShape, [1, 4, 16, 16]);
  assert.is(
    info.multiplyAccumulates,
    info.costs.reduce((sum, { multiplyAccumulates }) => sum + multiplyAccumulates, 0),
  );
  assert.is(info.parameters.length, model.parameters.length);
});

test('a tensor is refused that is not what it says', async () => {
  const model = await tinyModel();
  const forward = (...inputs: unknown[]) => model.forward(inputs as Tensor[]);
  const data = new Float32Array(256);
  const short = await refusal('ERR_INVALID_ARG_TYPE', forward({ data, shape: [1, 1, 16, 15] }));
  assert.is(
    short.message,
    'expected an array of 240 elements (the product of shape) for inputs[0].data, received 256',
  );
  await refusal('ERR_INVALID_ARG_TYPE', forward({ data, shape: [1, 1, 16, -16] }));
  await refusal('ERR_INVALID_ARG_TYPE', forward({ data, shape: [1, 1, 16, 16], dtype: 'float64' }));
  await refusal('ERR_INVALID_ARG_TYPE', forward({ data, shape: [1, 1, 16, 16], dtype: 'decimal' }));
  await refusal('ERR_INVALID_ARG_TYPE', forward({ data: new Uint16Array(256), shape: [1, 1, 16, 16] }));
  await refusal('ERR_INVALID_ARG_TYPE', forward({ data: new Uint32Array(256), shape: [1, 1, 16, 16] }));
  await refusal('ERR_INVALID_ARG_TYPE', forward({ data: [1, 2], shape: [2] }));
  await refusal('ERR_INVALID_ARG_TYPE', forward());
  await refusal('ERR_INVALID_ARG_TYPE', forward(tinyInput(), tinyInput()));
  await refusal('ERR_INVALID_ARG_TYPE', model.forward('x' as never));
  const gone = new Float32Array(256);
  structuredClone(gone, { transfer: [gone.buffer] });
  assert.match(
    (await refusal('ERR_INVALID_ARG_TYPE', forward({ data: gone, shape: [1, 1, 16, 16] }))).message,
    'transferred',
  );
});

test('inputs are copied at the call', async () => {
  const model = await tinyModel();
  const input = tinyInput();
  input.data.fill(0.5);
  const expected = ((await model.forward([input])) as Tensor).data;
  const pending = model.forward([input]);
  input.data.fill(9);
  assert.equal(((await pending) as Tensor).data, expected);
});

test('an aborted forward rejects with the reason', async () => {
  const model = await tinyModel();
  const reason = new Error('too late');
  const result = await model
    .forward([tinyInput()], { signal: AbortSignal.abort(reason) })
    .catch((error: unknown) => error);
  assert.is(result, reason);
});

test('what is wrong with options is told by name', async () => {
  assert.match(
    (await refusal('ERR_INVALID_ARG_TYPE', Model.create('vgg' as never, { classes: 2, seed: 1 }))).message,
    /expected one of 'lenet5'.* for architecture, received 'vgg'/,
  );
  await refusal('ERR_OUT_OF_RANGE', Model.create('convnet', { classes: 0, seed: 1 }));
  await refusal('ERR_INVALID_ARG_TYPE', Model.create('convnet', { classes: 2 } as never));
  await refusal('ERR_INVALID_ARG_TYPE', Model.load(7 as never));
  await refusal('ERR_DEVICE_UNAVAILABLE', (await tinyModel()).to('cuda:9'));
});

test('a disposed model is named as such; its facts stay', async () => {
  const model = await tinyModel();
  await model.dispose();
  await model[Symbol.asyncDispose]();
  for (const use of [
    model.inspect(),
    model.clone(),
    model.save(path.join(folder, 'x.pt')),
    model.forward([tinyInput()]),
  ]) {
    assert.match((await refusal('ERR_DISPOSED', use)).message, 'Model');
  }
  assert.ok(model.layers.length > 0);
});

test.run();
