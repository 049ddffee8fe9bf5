import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { configure } from '../lib/configure.js';
import { type ErrorFacts, isEspalierError } from '../lib/errors.js';
import type { Run } from '../lib/run.js';
import { supervised } from '../lib/train/supervised.js';
import { temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';
import { firstProgress, longRun, tinyDomain, tinyInput, tinyModel } from './support/tiny.js';

// Runs of real training. What a Run promises by itself is in run.test.ts.

const folder = temporaryFolder();

const outcome = (run: Promise<unknown>): Promise<unknown> =>
  run.then(() => 'fulfilled').catch((error) => error);

async function cancelled(run: Run<unknown>, reason?: unknown): Promise<unknown> {
  run.cancel(reason);
  return outcome(run);
}

test('a run trains: progress rises to the end, the model is new, the report tells what was done', async () => {
  const model = await tinyModel();
  const domain = await tinyDomain();
  const run = supervised(model, { domain, epochs: 4, batchSize: 32, seed: 7 });
  const fractions: number[] = [];
  for await (const progress of run) {
    assert.is(progress.method, 'train.supervised');
    assert.ok(progress.step <= progress.steps && progress.elapsedMs >= 0);
    fractions.push(progress.fraction);
  }
  assert.equal(
    fractions,
    [...fractions].sort((a, b) => a - b),
  );
  assert.is(fractions.at(-1), 1);
  const { model: trained, report } = await run;
  assert.is.not(trained, model);
  assert.is(report.method, 'train.supervised');
  assert.is(report.figures.epochs.length, 4);
  assert.ok(report.figures.finalLoss < report.figures.epochs[0]!.loss);
  const [before, after] = await Promise.all([model.inspect(), trained.inspect()]);
  assert.is.not(before.digest, after.digest);
});

test('bad arguments reject, they never throw synchronously', async () => {
  const domain = await tinyDomain();
  const model = await tinyModel();
  for (const [run, code] of [
    [supervised(model, { domain, epochs: 0 }), 'ERR_OUT_OF_RANGE'],
    [supervised(model, {} as never), 'ERR_INVALID_ARG_TYPE'],
    [supervised({} as never, { domain }), 'ERR_INVALID_ARG_TYPE'],
    [supervised(model, { domain, epochz: 1 } as never), 'ERR_INVALID_ARG_TYPE'],
    [supervised(model, { domain, signal: 'x' as never }), 'ERR_INVALID_ARG_TYPE'],
    [supervised(model, { domain, device: 'toaster' }), 'ERR_INVALID_ARG_TYPE'],
  ] as const) {
    const error = (await outcome(run)) as ErrorFacts;
    assert.ok(isEspalierError(error), String(error));
    assert.is(error.code, code);
  }
});

test('an error from native code has the stack of the caller', async () => {
  async function theCaller() {
    return await supervised(await tinyModel(), { domain: await tinyDomain(), device: 'toaster' });
  }
  const error = (await outcome(theCaller())) as Error;
  assert.match(error.stack ?? '', 'theCaller');
  assert.match(error.stack ?? '', error.message);
});

test('a device that is not there is ERR_DEVICE_UNAVAILABLE, never a silent CPU run', async () => {
  const { run } = await longRun({ device: 'cuda:7' });
  assert.is(((await outcome(run)) as ErrorFacts).code, 'ERR_DEVICE_UNAVAILABLE');
});

test('cancel stops a running run with the reason', async () => {
  const { run } = await longRun();
  await firstProgress(run);
  const reason = new Error('enough');
  const start = performance.now();
  assert.is(await cancelled(run, reason), reason);
  assert.ok(performance.now() - start < 2000);
});

test('a queued run is cancelled at once, while the first works on', async () => {
  const { run: first } = await longRun();
  const { run: queued } = await longRun();
  await firstProgress(first);
  const error = (await cancelled(queued)) as DOMException;
  assert.is(error.name, 'AbortError');
  assert.is((await firstProgress(first)).method, 'train.supervised');
  await cancelled(first);
});

test('a signal aborts before, queued, during and after', async () => {
  const before = new Error('before');
  assert.is(await outcome((await longRun({ signal: AbortSignal.abort(before) })).run), before);

  const during = new AbortController();
  const { run } = await longRun({ signal: during.signal });
  await firstProgress(run);
  const queued = new AbortController();
  const { run: second } = await longRun({ signal: queued.signal });
  queued.abort('queued');
  assert.is(await outcome(second), 'queued');
  during.abort('during');
  assert.is(await outcome(run), 'during');

  const after = new AbortController();
  const { run: third } = await longRun({ epochs: 1, signal: after.signal });
  await third;
  after.abort('after');
  assert.is(await outcome(third), 'fulfilled');
});

test('a cancelled run with a checkpoint writes one first', async () => {
  const file = path.join(folder, 'cancelled.checkpoint');
  const { run } = await longRun({ checkpoint: { path: file, everySeconds: 3600 } });
  await firstProgress(run);
  await cancelled(run);
  assert.ok(fs.existsSync(file));
});

test('disposing of the model does not disturb the run that uses it', async () => {
  const model = await tinyModel();
  const { run } = await longRun({ epochs: 20 }, model);
  await firstProgress(run);
  await model.dispose();
  await model.dispose();
  const { model: trained } = await run;
  assert.ok(trained.layers.length > 0);
  const error = (await outcome(model.forward([tinyInput()]))) as ErrorFacts & Error;
  assert.is(error.code, 'ERR_DISPOSED');
  assert.match(error.message, 'Model');
  const again = (await outcome((await longRun({}, model)).run)) as ErrorFacts & Error;
  assert.is(again.code, 'ERR_DISPOSED');
  assert.match(again.message, 'model');
});

test('disposing of a domain does not disturb the run that uses it', async () => {
  const domain = await tinyDomain();
  const { run } = await longRun({ epochs: 10, domain });
  await domain.dispose();
  assert.is(await outcome(run), 'fulfilled');
});

test('two runs share a model: each result is that of the run alone, and the model stays as it was', async () => {
  const model = await tinyModel();
  const domain = await tinyDomain();
  const { digest } = await model.inspect();
  const train = (seed: number) => supervised(model, { domain, epochs: 2, batchSize: 32, seed, threads: 1 });
  const digestOf = async (run: ReturnType<typeof train>) => (await (await run).model.inspect()).digest;
  const alone = [await digestOf(train(1)), await digestOf(train(2))];
  await configure({ concurrentRuns: 2 });
  try {
    assert.equal(await Promise.all([digestOf(train(1)), digestOf(train(2))]), alone);
  } finally {
    await configure({ concurrentRuns: 1 });
  }
  assert.is((await model.inspect()).digest, digest);
});

test('as many runs work at once as were configured', async () => {
  await configure({ concurrentRuns: 2 });
  const { run: first } = await longRun();
  const { run: second } = await longRun();
  await Promise.all([firstProgress(first), firstProgress(second)]);
  await cancelled(first);
  await cancelled(second);
  await configure({ concurrentRuns: 1 });
  assert.is(((await outcome(configure({ concurrentRuns: 0 }))) as ErrorFacts).code, 'ERR_OUT_OF_RANGE');
});

test('runs that work at once share the cores, unless they say how many threads they take', async () => {
  const model = await tinyModel();
  const domain = await tinyDomain();
  const threadsOf = async (threads?: number) =>
    (await supervised(model, { domain, epochs: 1, batchSize: 32, ...(threads && { threads }) })).report
      .machine.threads;
  const cores = os.availableParallelism();
  assert.is(await threadsOf(), cores);
  for (const concurrentRuns of [2, 3]) {
    await configure({ concurrentRuns });
    try {
      assert.is(await threadsOf(), Math.max(1, Math.floor(cores / concurrentRuns)));
      assert.is(await threadsOf(cores + 1), cores + 1);
    } finally {
      await configure({ concurrentRuns: 1 });
    }
  }
});

test('forward of another model answers while a run trains', async () => {
  const other = await tinyModel(2);
  const { run } = await longRun();
  await firstProgress(run);
  const output = (await other.forward([tinyInput()])) as { shape: number[] };
  assert.equal(output.shape, [1, 4]);
  await cancelled(run);
});

test.run();
