// The main thread starts Workers that do the same work; each prints when it has ended.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { supervised } from '../../../lib/train/supervised.js';
import { firstProgress, longRun, tinyDomain, tinyInput, tinyModel } from '../../support/tiny.js';

const self = fileURLToPath(import.meta.url);

const exitOf = async (worker: Worker): Promise<number> => (await once(worker, 'exit'))[0];
const start = (job: string) => new Worker(self, { workerData: job });

async function mainWorks(): Promise<void> {
  const output = (await (await tinyModel()).forward([tinyInput()])) as { shape: number[] };
  console.log(`main ${output.shape.join('x')}`);
}

async function together(): Promise<void> {
  const { run } = await longRun();
  run.catch(() => {});
  const codes = await Promise.all(Array.from({ length: 8 }, () => exitOf(start('forward'))));
  console.log(`exits ${codes.join(' ')}`);
  run.cancel();
  const trained = await Promise.all(Array.from({ length: 8 }, () => exitOf(start('train'))));
  if (trained.some((code) => code !== 0)) console.log(`trained ${trained.join(' ')}`);
  await mainWorks();
}

async function again(): Promise<void> {
  const codes: number[] = [];
  for (let i = 0; i < 3; i++) codes.push(await exitOf(start('train')));
  console.log(`exits ${codes.join(' ')}`);
  await mainWorks();
}

async function terminate(work: string): Promise<void> {
  for (let i = 0; i < 4; i++) {
    const worker = start(work);
    await once(worker, 'message');
    const begin = performance.now();
    await worker.terminate();
    console.log(`terminated in ${performance.now() - begin < 5000 ? 'time' : 'too long'}`);
  }
  await mainWorks();
}

async function post(): Promise<void> {
  const worker = start('receive');
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
  if (workerData === 'train') {
    await supervised(model, { domain: await tinyDomain(64), epochs: 1, batchSize: 32 });
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
else if (process.argv[2] === 'again') await again();
else if (process.argv[2] === 'post') await post();
else await terminate(process.argv[3] ?? 'run');
