import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { runChild } from './support/child.js';
import { temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';

function script(source: string): string {
  const file = path.join(temporaryFolder(), 'child.mjs');
  fs.writeFileSync(file, source);
  return file;
}

test('a child that ends by itself is told with its code and both outputs', async () => {
  const child = await runChild(script('console.log("out"); console.error("err"); process.exitCode = 3;'));
  assert.equal(child, { code: 3, signal: null, stdout: 'out\n', stderr: 'err\n', timedOut: false });
});

test('a child that hangs is ended at its deadline', async () => {
  const child = await runChild(script('setInterval(() => {}, 1000)'), [], { deadlineMs: 300 });
  assert.is(child.signal, 'SIGKILL');
  assert.is(child.timedOut, true);
});

test('a test that awaits for ever fails at its deadline', async () => {
  const support = new URL('./support/test.js', import.meta.url).href;
  const source = `import { test } from '${support}';
    test('stuck', () => new Promise(() => setInterval(() => {}, 1000)), { timeoutMs: 100 });
    test.after(() => setImmediate(() => process.exit()));
    test.run();`;
  const child = await runChild(script(source));
  assert.is(child.code, 1);
  assert.match(child.stdout, "'stuck' did not end within 100 ms");
});

test.run();
