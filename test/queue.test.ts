import path from 'node:path';
import * as assert from 'uvu/assert';
import { runCommand } from './support/child.js';
import { root } from './support/paths.js';
import { test } from './support/test.js';

const kDeadlineMs = 120_000;

test(
  'the queue of jobs has no race that the thread sanitizer sees',
  async () => {
    const ran = await runCommand(path.join(root, 'build/cmake/espalier_queue'), ['lanes: '], {
      env: { ...process.env, TSAN_OPTIONS: 'exitcode=66' },
      deadlineMs: kDeadlineMs,
    });
    if (ran.stderr.includes('unexpected memory mapping'))
      return test.skip(
        'the thread sanitizer does not run on this kernel (vm.mmap_rnd_bits is too high for it)',
      );
    assert.is(ran.signal, null);
    assert.is(ran.code, 0, ran.stderr.slice(0, 4000));
    assert.match(ran.stdout, /^[1-9]\d* passed, 0 failed$/m);
  },
  { timeoutMs: kDeadlineMs },
);

test.run();
