import path from 'node:path';
import * as assert from 'uvu/assert';
import { runChild } from '../support/child.js';
import { root } from '../support/paths.js';
import { test } from '../support/test.js';

const child = path.join(root, 'dist/test/process/children/workers.js');

async function run(...args: string[]): Promise<string> {
  const result = await runChild(child, args, { deadlineMs: 80_000 });
  assert.not(result.timedOut, `${result.stdout}${result.stderr}`);
  assert.is(result.signal, null, result.stderr);
  assert.is(result.code, 0, result.stderr);
  return result.stdout;
}

const slow = { timeoutMs: 90_000 };

test(
  'eight Workers load the addon at once beside the main thread, train and end by themselves; the main thread works on',
  async () => {
    assert.is(await run('together'), 'exits 0 0 0 0 0 0 0 0\nmain 1x4\n');
  },
  slow,
);

test(
  'the addon is loaded in a Worker, given back with it, and loaded again, in Workers and in the main thread',
  async () => {
    assert.is(await run('again'), 'exits 0 0 0\nmain 1x4\n');
  },
  slow,
);

for (const work of ['run', 'queued']) {
  test(
    `Workers are terminated four times with work '${work}' under way, and the main thread works on`,
    async () => {
      assert.is(await run('terminate', work), `${'terminated in time\n'.repeat(4)}main 1x4\n`);
    },
    slow,
  );
}

test(
  'a handle that is posted to a Worker is an error that says why',
  async () => {
    const said = await run('post');
    assert.match(said, 'DataCloneError');
    assert.match(said, 'this Model belongs to the thread that made it');
  },
  slow,
);

test.run();
