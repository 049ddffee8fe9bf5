// The main thread starts Workers that do the same work; each prints when it has ended.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { firstProgress, longRun, tinyInput, tinyModel } from '../../support/tiny.js';

const self = fileURLToPath(import.meta.url);

async function together(): Promise<void> {
  const workers = Array.from({ length: 4 }, () => new Worker(self, { workerData: 'forward' }));
  const codes = await Promise.all(workers.map(async (worker) => (await once(worker, 'exit'))[0]));
  console.log(`exits ${codes.join(' ')}`);
  const output = (await (await tinyModel()).forward([tinyInput()])) as { shape: number[] };
  console.log(`main ${output.shape.join('x')}`);
}

async function terminate(work: string): Promise<void> {
  const worker = new Worker(self, { workerData: work });
  await once(worker, 'message');
  const start = performance.now();
  await worker.terminate();
  console.log(`terminated in ${performance.now() - start < 5000 ? 'time' : 'too long'}`);
  const output = (await (await tinyModel()).forward([tinyInput()])) as { shape: number[] };
  console.log(`main ${output.shape.join('x')}`);
}

async function post(): Promise<void> {
  const worker = new Worker(self, { workerData: 'receive' });
  const model = await tinyModel();
  try {
    worker.postMessage(model);
    console.log('posted');
  } catch (error) {
    console.log(`${(error as Error).name}: ${(error as Error).message}`);
  }
  await worker.terminate();
}

async function work(): Promise<void> {
  const model = await tinyModel();
  await model.forward([tinyInput()]);
  if (workerData === 'forward') return;
  if (workerData === 'receive') {
    parentPort?.on('message', () => {});
    return;
  }
  const runs = [(await longRun({}, model)).run];
  if (workerData === 'queued') runs.push((await longRun({}, model)).run);
  for (const run of runs) run.catch(() => {});
  await firstProgress(runs[0]!);
  parentPort?.postMessage('running');
}

if (!isMainThread) await work();
else if (process.argv[2] === 'together') await together();
else if (process.argv[2] === 'post') await post();
else await terminate(process.argv[3] ?? 'run');
