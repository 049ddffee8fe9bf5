// Prints the delay of the event loop in ms, idle and while a run trains, without the sampling interval.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { firstProgress, longRun, tinyInput, tinyModel } from '../../support/tiny.js';

const kResolutionMs = 1;
const kMs = 4000;

async function measure(): Promise<{ p99: number; max: number }> {
  const delay = monitorEventLoopDelay({ resolution: kResolutionMs });
  delay.enable();
  await sleep(kMs);
  delay.disable();
  return { p99: delay.percentile(99) / 1e6 - kResolutionMs, max: delay.max / 1e6 - kResolutionMs };
}

const other = await tinyModel(2);
await other.forward([tinyInput()]);
await sleep(500);
const idle = await measure();

const { run } = await longRun();
run.catch(() => {});
await firstProgress(run);
const busy = measure();
const answers: number[] = [];
for (let i = 0; i < 20; i++) {
  const start = performance.now();
  await other.forward([tinyInput()]);
  answers.push(performance.now() - start);
  await sleep(kMs / 25);
}
const training = await busy;
run.cancel();
await run.catch(() => {});
answers.sort((a, b) => a - b);
console.log(JSON.stringify({ idle, training, medianAnswerMs: answers[10], slowestAnswerMs: answers.at(-1) }));
