import * as assert from 'uvu/assert';
import { type Progress, Run, type RunContext } from '../lib/run.js';
import { test } from './support/test.js';

const at = (step: number): Progress => ({
  method: 'test',
  phase: 'count',
  step,
  steps: 3,
  fraction: step / 3,
  elapsedMs: step,
  etaMs: null,
  samplesPerSecond: 1,
  metrics: {},
});

// A run whose every move the test makes.
function puppet<T = string>(signal?: AbortSignal) {
  let context!: RunContext;
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const run = new Run<T>((given) => {
    context = given;
    return new Promise<T>((yes, no) => {
      resolve = yes;
      reject = no;
      given.signal.addEventListener('abort', () => no(given.signal.reason));
    });
  }, signal);
  return { run, report: (step: number) => context.report(at(step)), resolve, reject };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

async function steps(run: AsyncIterable<Progress>): Promise<number[]> {
  const seen: number[] = [];
  for await (const { step } of run) seen.push(step);
  return seen;
}

// What the process calls an unhandled rejection while `body` runs.
async function unhandled(body: () => Promise<unknown> | unknown): Promise<unknown[]> {
  const errors: unknown[] = [];
  const note = (error: unknown) => errors.push(error);
  process.on('unhandledRejection', note);
  try {
    await body();
    await turn();
  } finally {
    process.off('unhandledRejection', note);
  }
  return errors;
}

test('a run starts at the call', () => {
  let started = false;
  new Run(async () => {
    started = true;
  });
  assert.ok(started);
});

test('a run is a promise: then, catch, finally, await and combinators', async () => {
  const { run, resolve } = puppet();
  resolve('done');
  assert.is(await run, 'done');
  assert.is(await run.then((value) => value.length), 4);
  assert.is(await run.catch(() => 'never'), 'done');
  let ran = false;
  await run.finally(() => {
    ran = true;
  });
  assert.ok(ran);
  assert.equal(await Promise.all([run, 1]), ['done', 1]);
  assert.is(Object.prototype.toString.call(run), '[object Run]');
});

test('what the work throws rejects, it is never thrown synchronously', async () => {
  const run = new Run(() => {
    throw new TypeError('bad argument');
  });
  assert.is(await run.catch((error) => (error as Error).message), 'bad argument');
});

test('an iterator gets the newest progress and skips what came between', async () => {
  const { run, report, resolve } = puppet();
  const iterator = run[Symbol.asyncIterator]();
  report(1);
  assert.is((await iterator.next()).value?.step, 1);
  report(2);
  report(3);
  assert.is((await iterator.next()).value?.step, 3);
  resolve('done');
  assert.ok((await iterator.next()).done);
  assert.ok((await iterator.next()).done);
});

test('an iterator always gets the last progress, even after the end', async () => {
  const { run, report, resolve } = puppet();
  report(1);
  const seen = steps(run);
  await turn();
  report(2);
  report(3);
  resolve('done');
  assert.equal(await seen, [1, 3]);
});

test('a late iterator starts at the newest progress, also when the run is over', async () => {
  const { run, report, resolve } = puppet();
  report(1);
  report(2);
  const late = run[Symbol.asyncIterator]();
  assert.is((await late.next()).value?.step, 2);
  resolve('done');
  await run;
  assert.equal(await steps(run), [2]);
});

test('iterators do not take progress from each other, and awaiting goes beside them', async () => {
  const { run, report, resolve } = puppet();
  const seen = [steps(run), steps(run)];
  await turn();
  report(1);
  await turn();
  report(2);
  await turn();
  resolve('done');
  assert.equal(await Promise.all(seen), [
    [1, 2],
    [1, 2],
  ]);
  assert.is(await run, 'done');
});

test('if the run fails the iterator throws the same error after the last progress, which counts as handled', async () => {
  const error = new Error('failed');
  const { run, report, reject } = puppet();
  const seen: number[] = [];
  const errors = await unhandled(async () => {
    const caught = (async () => {
      for await (const { step } of run) seen.push(step);
    })().catch((thrown) => thrown);
    await turn();
    report(1);
    reject(error);
    assert.is(await caught, error);
  });
  assert.equal(errors, []);
  assert.equal(seen, [1]);
});

test('a run that fails while the body of a loop is busy is handled by that loop', async () => {
  const error = new Error('failed');
  const { run, report, reject } = puppet();
  report(1);
  const errors = await unhandled(async () => {
    try {
      for await (const _ of run) {
        reject(error);
        await turn();
      }
      assert.unreachable();
    } catch (thrown) {
      assert.is(thrown, error);
    }
  });
  assert.equal(errors, []);
});

test('break ends the iteration, not the run', async () => {
  const { run, report, resolve } = puppet();
  report(1);
  for await (const _ of run) break;
  resolve('done');
  assert.is(await run, 'done');
});

test('a run that fails after a break is an unhandled rejection', async () => {
  const error = new Error('failed');
  const { run, report, reject } = puppet();
  report(1);
  for await (const _ of run) break;
  assert.equal(
    await unhandled(() => {
      reject(error);
    }),
    [error],
  );
});

test('a run that failed during the loop that breaks is an unhandled rejection', async () => {
  const error = new Error('failed');
  const { run, report, reject } = puppet();
  report(1);
  const errors = await unhandled(async () => {
    for await (const _ of run) {
      reject(error);
      await turn();
      break;
    }
  });
  assert.equal(errors, [error]);
});

test('a failed run that nobody awaits or iterates is an unhandled rejection, once', async () => {
  const error = new Error('failed');
  const { reject } = puppet();
  assert.equal(await unhandled(() => reject(error)), [error]);
});

test('a failed run that is awaited is handled', async () => {
  const { run, reject } = puppet();
  const errors = await unhandled(async () => {
    reject(new Error('failed'));
    await run.catch(() => {});
  });
  assert.equal(errors, []);
});

test('a consumer that throws ends its iteration, not the run', async () => {
  const { run, report, resolve } = puppet();
  report(1);
  try {
    for await (const _ of run) throw new Error('consumer');
  } catch (error) {
    assert.is((error as Error).message, 'consumer');
  }
  resolve('done');
  assert.is(await run, 'done');
});

test('cancel rejects with the reason, by default an AbortError', async () => {
  const reason = new Error('enough');
  const first = puppet();
  first.run.cancel(reason);
  assert.is(await first.run.catch((error) => error), reason);
  const second = puppet();
  second.run.cancel();
  const error = (await second.run.catch((thrown) => thrown)) as DOMException;
  assert.instance(error, DOMException);
  assert.is(error.name, 'AbortError');
});

test('cancel after the end does nothing', async () => {
  const { run, resolve } = puppet();
  resolve('done');
  await run;
  run.cancel();
  assert.is(await run, 'done');
});

test('a signal that was aborted before stops the work from starting', async () => {
  let started = false;
  const reason = new Error('before');
  const run = new Run(async () => {
    started = true;
  }, AbortSignal.abort(reason));
  assert.is(await run.catch((error) => error), reason);
  assert.not(started);
});

test('a signal stops the run with its reason; its listener is removed at the end', async () => {
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = ((...args: Parameters<typeof add>) => {
    listeners += 1;
    add(...args);
  }) as typeof add;
  signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
    listeners -= 1;
    remove(...args);
  }) as typeof remove;

  const first = puppet(signal);
  first.resolve('done');
  await first.run;
  assert.is(listeners, 0);

  const second = puppet(signal);
  assert.is(listeners, 1);
  controller.abort('stop');
  assert.is(await second.run.catch((error) => error), 'stop');
  assert.is(listeners, 0);
});

test.run();
