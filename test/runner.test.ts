import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { root, temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';

interface Result {
  passed: number;
  failed: number;
  skipped: string[];
  output: string;
}

const runner = await import(pathToFileURL(path.join(root, 'scripts/lib/testing.mjs')).href);
const support = new URL('./support/test.js', import.meta.url).href;

function write(text: string, name: string): string {
  const file = path.join(temporaryFolder(), name);
  fs.writeFileSync(file, text, { mode: 0o755 });
  return file;
}

function runFile(body: string, deadlineMs?: number): Promise<Result> {
  return runner.runFile(
    write(`import { test } from '${support}';\n${body}`, 'a.mjs'),
    'a.test.js',
    deadlineMs,
  );
}

const runNative = (body: string, deadlineMs?: number): Promise<Result> =>
  runner.runNative(write(`#!/bin/sh\n${body}\n`, 'program'), '', process.env, deadlineMs);

test('passed and failed tests of a file are counted, and failures shown in full', async () => {
  const result = await runFile(`
    test('a', () => {});
    test('b', () => { throw new Error('what went wrong'); });
    test('c', async () => { throw 'no error object'; });
    test.run();`);
  assert.is(result.passed, 1);
  assert.is(result.failed, 2);
  assert.match(result.output, 'what went wrong');
  assert.match(result.output, 'no error object');
});

test('a file that crashes or exits badly after its tests passed has failed', async () => {
  const crashed = await runFile("test('last', () => process.kill(process.pid, 'SIGSEGV')); test.run();");
  assert.is(crashed.failed, 1);
  assert.match(crashed.output, "ended with SIGSEGV during 'last'");
  const badEnd = await runFile(
    "test('a', () => {}); test.run(); process.once('exit', () => { process.exitCode = 7; });",
  );
  assert.equal([badEnd.passed, badEnd.failed], [1, 1]);
  assert.match(badEnd.output, 'exit code 7');
});

test('a file that hangs is ended, and the failure says during which test', async () => {
  const result = await runFile("test('stuck', () => { for (;;) ; }); test.run();", 1500);
  assert.is(result.failed, 1);
  assert.match(result.output, "was ended after 1.5 s during 'stuck'");
});

test('a file without tests has failed, unless it says that it skips', async () => {
  const forgotten = await runFile("test('never run', () => {});");
  assert.is(forgotten.failed, 1);
  assert.match(forgotten.output, 'ran no test');
  const skipped = await runFile("test.skip('no such device');");
  assert.equal([skipped.passed, skipped.failed, skipped.skipped], [0, 0, ['skipped: no such device']]);
});

test('C++ tests: counts, failures, crashes and hangs', async () => {
  const good = await runNative('echo "ok a (1 ms)"; echo "1 passed, 0 failed"');
  assert.equal([good.passed, good.failed], [1, 0]);
  const bad = await runNative('echo "FAILED b (1 ms)"; echo "    why"; echo "3 passed, 1 failed"; exit 1');
  assert.equal([bad.passed, bad.failed, bad.output], [3, 1, 'FAILED b (1 ms)\n    why']);
  const crashed = await runNative('echo "ok a (1 ms)"; kill -SEGV $$');
  assert.equal([crashed.passed, crashed.failed], [1, 1]);
  assert.match(crashed.output, 'SIGSEGV');
  const atExit = await runNative('echo "ok a (1 ms)"; echo "1 passed, 0 failed"; kill -ABRT $$');
  assert.equal([atExit.passed, atExit.failed], [1, 1]);
  const stuck = await runNative('echo "ok a (1 ms)"; sleep 20', 500);
  assert.is(stuck.failed, 1);
  assert.match(stuck.output, 'did not end within 0.5 s');
});

test.run();
