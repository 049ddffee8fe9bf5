import path from 'node:path';
import * as assert from 'uvu/assert';
import { runCommand } from './support/child.js';
import { root } from './support/paths.js';
import { test } from './support/test.js';

// The CUDA kernels under the thread sanitizer, by the emulation that has a thread for each of the GPU's.
const kDeadlineMs = 240_000;
const races = (mode: string) =>
  runCommand(path.join(root, 'build/cmake/espalier_races'), [mode], {
    env: { ...process.env, TSAN_OPTIONS: 'exitcode=66' },
    deadlineMs: kDeadlineMs,
  });

test(
  'no kernel has a race, and a kernel without its barrier is reported',
  async () => {
    const kernels = await races('kernels');
    if (kernels.stderr.includes('unexpected memory mapping'))
      return test.skip(
        'the thread sanitizer does not run on this kernel (vm.mmap_rnd_bits is too high for it)',
      );
    assert.is(kernels.code, 0, kernels.stderr.slice(0, 4000));
    assert.match(kernels.stdout, 'cut 4503 of 9006');

    const broken = await races('broken');
    assert.is(broken.code, 66, broken.stderr.slice(0, 4000));
    assert.match(broken.stderr, /data race[\s\S]*passLeftWithoutBarrier/);
  },
  { timeoutMs: 2 * kDeadlineMs },
);

test.run();
