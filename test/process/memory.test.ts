import path from 'node:path';
import * as assert from 'uvu/assert';
import { runChild, runCommand } from '../support/child.js';
import { root } from '../support/paths.js';
import { test } from '../support/test.js';

const child = path.join(root, 'dist/test/process/children/memory.js');
const kRoomKilobytes = 400_000;

test(
  'what is too large for the memory that there is ends with ERR_OUT_OF_MEMORY, and the process works on',
  async () => {
    const free = await runChild(child, [], { deadlineMs: 60_000 });
    assert.is(free.code, 0, free.stderr);
    const limit = Number(free.stdout) + kRoomKilobytes;
    const command = `ulimit -v ${limit} && exec "$0" "$1" limited`;
    const result = await runCommand('/bin/sh', ['-c', command, process.execPath, child], {
      deadlineMs: 100_000,
    });
    const said = `${result.stdout}${result.stderr}`;
    assert.is(result.signal, null, said);
    assert.is(result.code, 0, said);
    for (const what of ['dataset', 'batch', 'model', 'forward', 'output'])
      assert.match(result.stdout, `${what} ERR_OUT_OF_MEMORY`, said);
  },
  { timeoutMs: 170_000 },
);

test.run();
