// The delay of the event loop, idle and while a network trains.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Model, train } from '../../lib/index.js';
import { asked } from '../trial.js';
import { stripes } from './data.js';

const kResolutionMs = 1;
const kMs = 4000;

async function measure(name: string): Promise<Record<string, number>> {
  const delay = monitorEventLoopDelay({ resolution: kResolutionMs });
  delay.enable();
  await sleep(kMs);
  delay.disable();
  return {
    [`${name}, p99, ms`]: delay.percentile(99) / 1e6 - kResolutionMs,
    [`${name}, largest, ms`]: delay.max / 1e6 - kResolutionMs,
  };
}

const { threads } = asked();
const { domain } = await stripes(4096);
const model = await Model.create('convnet', { classes: 10, widths: [32, 64, 128], seed: 1 });
const idle = await measure('idle');
const run = train.supervised(model, { domain, epochs: 1000, batchSize: 128, seed: 1, threads });
const ended = run.catch(() => {});
for await (const _ of run) break; // it has begun
const training = await measure('training');
run.cancel();
await ended;
console.log(
  JSON.stringify({
    series: [],
    figures: { ...idle, ...training },
    versions: { node: process.version },
    seed: 1,
  }),
);
