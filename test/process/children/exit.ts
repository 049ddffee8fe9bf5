// Ends the process in one of the ways that there are, with native work under way or not.
import { firstProgress, longRun, tinyInput, tinyModel } from '../../support/tiny.js';

const [how, work] = process.argv.slice(2);

const model = await tinyModel();
if (work === 'run') {
  const { run } = await longRun(how === 'end' ? { epochs: 3 } : {}, model);
  await firstProgress(run);
  run.catch(() => {});
}
if (work === 'queued') {
  const runs = [(await longRun({}, model)).run, (await longRun({}, model)).run];
  await firstProgress(runs[0]!);
  for (const run of runs) run.catch(() => {});
  if (how === 'end') for (const run of runs) run.cancel();
}
if (work === 'forward') {
  for (let i = 0; i < 50; i++) model.forward([tinyInput()]).catch(() => {});
}
if (work === 'disposed') await model.dispose();

console.log('ready');
if (how === 'exit') process.exit(3);
if (how === 'throw') throw new Error('thrown by the child');
