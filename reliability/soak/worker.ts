// A Worker that trains: to the end and then ends by itself, or until it is terminated.
import { parentPort, workerData } from 'node:worker_threads';
import { supervised } from '../../lib/train/supervised.js';
import { firstProgress, longRun, tinyDomain, tinyModel } from '../../test/support/tiny.js';

const model = await tinyModel();
if (workerData === 'short') {
  await supervised(model, { domain: await tinyDomain(64), epochs: 1, batchSize: 32 });
} else {
  const { run } = await longRun({}, model);
  run.catch(() => {});
  await firstProgress(run);
  parentPort?.postMessage('running');
}
