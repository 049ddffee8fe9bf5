// Ends the process in one of the ways that there are, with native work under way or not: HOW WORK DISPOSED FILE.
// What it prints last is how long a batch takes.
import fs from 'node:fs';
import path from 'node:path';
import { supervised } from '../../../lib/train/supervised.js';
import { firstProgress, longRun, tinyDomain, tinyInput, tinyModel } from '../../support/tiny.js';

const [how = '', work = '', disposed = '', file = ''] = process.argv.slice(2);

const model = await tinyModel();
const domain = await tinyDomain();
let batchMs = 0;
if (work === 'running' || work === 'checkpointing' || work === 'queued') {
  // A process that ends by itself ends with its runs.
  const epochs = how === 'end' ? { epochs: work === 'checkpointing' ? 1 : 3 } : {};
  const checkpoint = work === 'checkpointing' ? { checkpoint: { path: file, everySteps: 1 } } : {};
  const { run } = await longRun({ domain, ...epochs, ...checkpoint }, model);
  let isOver = false;
  run
    .catch(() => {})
    .finally(() => {
      isOver = true;
    });
  const { samplesPerSecond } = await firstProgress(run);
  if (samplesPerSecond > 0) batchMs = 32_000 / samplesPerSecond;
  if (work === 'queued') (await longRun({ domain, ...epochs }, model)).run.catch(() => {});
  // There is one already, and the next is being written.
  const isWriting = () => fs.readdirSync(path.dirname(file)).some((name) => isTemporary(name));
  const isTemporary = (name: string) => name.startsWith(`${path.basename(file)}.`) && name.endsWith('.tmp');
  while (work === 'checkpointing' && !isOver && !(fs.existsSync(file) && isWriting()))
    await new Promise((next) => setImmediate(next));
}
if (work === 'forward') {
  for (let i = 0; i < 50; i++) model.forward([tinyInput()]).catch(() => {});
}
if (disposed === 'disposed') {
  await model.dispose();
  await domain.dispose();
}

console.log(`ready ${batchMs}`);
if (how === 'exit') process.exit(3);
if (how === 'throw') throw new Error('thrown by the child');
if (how === 'reject') Promise.reject(new Error('rejected by the child'));
if (how === 'fail') supervised(model, { domain, epochs: 0 });
