import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { configure } from '../../../lib/configure.js';
import type { Run } from '../../../lib/run.js';
import { firstProgress, longRun, tinyInput, tinyModel } from '../../../test/support/tiny.js';
import { median, rounded, type Work } from '../measure.js';

const kResolutionMs = 1;
// Somebody else's work on the machine counts as lag too: the median of several windows is what is told.
const kWindows = 5;
const kWindowMs = 1500;

/** `count` runs at once, first in one place of the queue, then side by side; one of them is cancelled. */
export async function together({ count, deadline }: Work) {
  const queued = await inTurn(count);
  await configure({ concurrentRuns: count });
  const model = await tinyModel();
  await sleep(300);
  const idle = await lagOver(kWindowMs);
  const runs = await startAll(count, {});
  const ends = runs.map(outcome);
  await Promise.all(runs.map(firstProgress));
  const answers: number[] = [];
  const windows: { p99: number; max: number }[] = [];
  while (windows.length < kWindows && (windows.length === 0 || performance.now() < deadline)) {
    const window = lagOver(kWindowMs);
    for (let i = 0; i < 10; i++) {
      const start = performance.now();
      await model.forward([tinyInput()]);
      answers.push(performance.now() - start);
    }
    windows.push(await window);
  }
  const start = performance.now();
  runs[0]!.cancel('enough');
  const cancelled = await ends[0];
  const cancelMs = performance.now() - start;
  const others = await Promise.all(runs.slice(1).map(isGoingOn));
  for (const run of runs.slice(1)) run.cancel('end');
  const rest = await Promise.all(ends.slice(1));
  return {
    asked: count,
    done: runs.length,
    idleLagP99Ms: rounded(idle.p99),
    lagP99Ms: rounded(median(windows.map(({ p99 }) => p99))),
    lagMaxMs: rounded(Math.max(...windows.map(({ max }) => max))),
    answerMedianMs: rounded(median(answers)),
    cancelMs: rounded(cancelMs),
    cancelledAlone: cancelled === 'enough' && others.every(Boolean) && rest.every((end) => end === 'end'),
    ...queued,
  };
}

// With one place, runs work in the order of the calls, and what waits can be cancelled at once.
async function inTurn(count: number) {
  const order: number[] = [];
  const runs = await startAll(count, { epochs: 2 });
  const ends = runs.map((run, i) => outcome(run.then(() => void order.push(i))));
  runs[count - 1]!.cancel('never begun');
  const [last] = [await ends[count - 1], await Promise.all(ends)];
  const expected = Array.from({ length: count - 1 }, (_, i) => i);
  return { queuedInOrder: `${order}` === `${expected}`, queuedCancelled: last === 'never begun' };
}

async function startAll(count: number, options: { epochs?: number }): Promise<Run<unknown>[]> {
  const runs: Run<unknown>[] = [];
  for (let i = 0; i < count; i++) runs.push((await longRun(options)).run);
  return runs;
}

async function lagOver(ms: number): Promise<{ p99: number; max: number }> {
  const delay = monitorEventLoopDelay({ resolution: kResolutionMs });
  delay.enable();
  await sleep(ms);
  delay.disable();
  return { p99: delay.percentile(99) / 1e6 - kResolutionMs, max: delay.max / 1e6 - kResolutionMs };
}

const outcome = (run: Promise<unknown>): Promise<unknown> => run.then(() => 'done').catch((error) => error);

// Whether it makes progress that it had not made before.
async function isGoingOn(run: Run<unknown>): Promise<boolean> {
  let seen = 0;
  for await (const _ of run) {
    seen += 1;
    if (seen > 2) return true;
  }
  return false;
}
