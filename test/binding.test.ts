import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { loadBinding } from '../lib/binding.js';
import type { ErrorCode } from '../lib/errors.js';
import { root } from './support/paths.js';
import { test } from './support/test.js';

// The names between the braces of an interface or a union in a source file.
const source = (file: string) => fs.readFileSync(path.join(root, file), 'utf8');

test('the addon exports what NativeBinding says, and nothing else', async () => {
  const [, body = ''] = /export interface NativeBinding \{\n(.*?)\n\}/s.exec(source('lib/binding.ts')) ?? [];
  const declared = [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name);
  assert.ok(declared.length > 10);
  assert.equal(Object.keys(await loadBinding()).sort(), declared.sort());
});

test('the codes of C++ are codes of TypeScript', () => {
  const [, union = ''] = /export type ErrorCode =\n(.*?);\n/s.exec(source('lib/errors.ts')) ?? [];
  const known = [...union.matchAll(/'(ERR_\w+)'/g)].map(([, code]) => code as ErrorCode);
  const native = [...source('native/core/error.cc').matchAll(/"(ERR_\w+)"/g)].map(
    ([, code]) => code as ErrorCode,
  );
  assert.ok(native.length > 10);
  assert.equal(
    native.filter((code) => !known.includes(code)),
    [],
  );
});

test('the addon tells of libtorch, devices and threads', async () => {
  const facts = await (await loadBinding()).describe();
  assert.match(facts.libtorch, /^\d+\.\d+\.\d+/);
  assert.is(facts.devices[0], 'cpu');
  assert.ok(facts.cores >= 1 && facts.threadsPerRun >= 1 && facts.concurrentRuns === 1);
});

test.run();
