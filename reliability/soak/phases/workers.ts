import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { configure } from '../../../lib/configure.js';
import { Random } from '../../../lib/data/random.js';
import { supervised } from '../../../lib/train/supervised.js';
import { firstProgress, longRun, tinyDomain, tinyModel } from '../../../test/support/tiny.js';
import { repeat, rounded, type Work } from '../measure.js';

const kTogether = 8;

const start = (job: 'long' | 'short') =>
  new Worker(new URL('../worker.js', import.meta.url), { workerData: job });

/** Workers that are terminated in the middle of a run, while the main thread trains. */
export async function workers(work: Work) {
  const random = new Random(`soak/workers/${work.seed}`);
  // Loaded and given back three times before the main thread has it, then in eight at once.
  const reloaded: number[] = [];
  for (let i = 0; i < 3; i++) reloaded.push(await exitOf(start('short')));
  const together = await Promise.all(Array.from({ length: kTogether }, () => exitOf(start('short'))));

  await configure({ concurrentRuns: 3 });
  const { run } = await longRun();
  const end = run.catch((error) => error);
  await firstProgress(run);
  let slowest = 0;
  const series = await repeat(work, async () => {
    const worker = start('long');
    await once(worker, 'message');
    await sleep(random.uniform(0, 30));
    const begin = performance.now();
    await worker.terminate();
    slowest = Math.max(slowest, performance.now() - begin);
  });
  // The run of the main thread went on all the while, and the next one works.
  await firstProgress(run);
  run.cancel('end');
  const mainRun = await end;
  await supervised(await tinyModel(), { domain: await tinyDomain(64), epochs: 1, batchSize: 32 });
  return {
    ...series,
    slowestMs: rounded(slowest),
    reloaded: reloaded.every((code) => code === 0),
    together: together.filter((code) => code === 0).length,
    mainWentOn: mainRun === 'end',
  };
}

async function exitOf(worker: Worker): Promise<number> {
  const [code] = (await once(worker, 'exit')) as [number];
  return code;
}
