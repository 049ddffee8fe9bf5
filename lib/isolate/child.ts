// The process of an isolated model: it loads the file, answers one request at a time, and ends with its channel.
// It never outlives its parent. A forward cannot be stopped, so that exiting, which waits for it, would not do.
const end = () => process.kill(process.pid, 'SIGKILL');
process.on('disconnect', end);
if (!process.connected) end();

import type { Model } from '../model.js';
import type { Request } from './protocol.js';

let model: Model | undefined;

async function answer({ call, args }: Request): Promise<unknown> {
  if (call === 'load') {
    const { Model } = await import('../model.js');
    model = await Model.load(args[0] as string, args[1] as object);
    return null;
  }
  if (model === undefined) throw new Error('no model is loaded');
  if (call === 'inspect') return await model.inspect(args[0] as object);
  if (call === 'forward') return await model.forward(args[0] as Parameters<Model['forward']>[0]);
  return await evaluate(model, args[0] as Samples, args[1] as object);
}

type Samples = import('../dataset.js').DatasetData & { name: string };

async function evaluate(model: Model, { name, ...samples }: Samples, options: object): Promise<unknown> {
  const { Dataset } = await import('../dataset.js');
  const { Domain } = await import('../domain.js');
  const { accuracy } = await import('../evaluate/accuracy.js');
  await using report = await Dataset.from(samples);
  await using domain = await Domain.open({ name, report });
  return (await accuracy(model, { ...options, domain })).report;
}

process.on('message', async (request: Request) => {
  const { id } = request;
  try {
    process.send?.({ id, value: await answer(request) });
  } catch (error) {
    const { pack } = await import('./protocol.js');
    process.send?.({ id, error: pack(error) });
  }
});
