import path from 'node:path';
import * as assert from 'uvu/assert';
import { formats, fuzz } from '../reliability/fuzz/index.js';
import { temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';

const kTimeoutMs = 150_000;

test(
  'a thousand damaged files of every format load or end in a typed error',
  async () => {
    const findings = path.join(temporaryFolder(), 'findings');
    const { counts, findings: found } = await fuzz({ formats, count: 1000, seed: 1, findings });
    const told = found.map(({ format, index, kind, detail }) => `${format} ${index}: ${kind} ${detail}`);
    assert.equal(told, []);
    assert.is(Object.keys(counts).length, formats.length);
  },
  { timeoutMs: kTimeoutMs },
);

test.run();
