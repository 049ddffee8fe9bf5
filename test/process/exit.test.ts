import path from 'node:path';
import * as assert from 'uvu/assert';
import { runChild } from '../support/child.js';
import { root } from '../support/paths.js';
import { test } from '../support/test.js';

const child = path.join(root, 'dist/test/process/children/exit.js');
const codes = { end: 0, exit: 3, throw: 1 };

for (const [how, code] of Object.entries(codes)) {
  for (const work of ['none', 'run', 'queued', 'forward', 'disposed']) {
    test(
      `a process that ends by ${how} with work '${work}' ends with code ${code} and no signal`,
      async () => {
        const result = await runChild(child, [how, work], { deadlineMs: 50_000 });
        assert.is(result.signal, null, result.stderr);
        assert.not(result.timedOut);
        assert.match(result.stdout, 'ready', result.stderr);
        assert.is(result.code, code, result.stderr);
        assert.not.match(result.stderr, /terminate called|Segmentation|Aborted/);
      },
      { timeoutMs: 60_000 },
    );
  }
}

test.run();
