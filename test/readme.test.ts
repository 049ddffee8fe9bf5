import * as assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { runChild, runCommand } from './support/child.js';
import { root, temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';

const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
const folder = temporaryFolder();

test(
  'the example runs as it is pasted',
  async () => {
    const data = path.join(folder, 'data');
    const made = await runCommand(
      process.execPath,
      [path.join(root, 'scripts/data.mjs'), 'mnist', 'optdigits', '--limit', '600', '--out', data],
      { deadlineMs: 120_000 },
    );
    assert.equal(made.code, 0, made.stderr);
    const [, code] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    assert.ok(code !== undefined);
    const script = path.join(folder, 'example.mjs');
    // From outside the package its name means nothing: only that is changed.
    const entry = pathToFileURL(path.join(root, 'dist/lib/index.js')).href;
    fs.writeFileSync(script, code.replace("'espalier'", `'${entry}'`));
    const env = { ...process.env, ESPALIER_DATA: data };
    const result = await runChild(script, [], { cwd: folder, env, deadlineMs: 120_000 });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /accuracy/);
    assert.ok(fs.existsSync(path.join(folder, 'sparse.pt')));
  },
  { timeoutMs: 250_000 },
);

test('the table of errors has every code, and no other', () => {
  const source = fs.readFileSync(path.join(root, 'lib/errors.ts'), 'utf8');
  const [, union] = /errorCodes = \[([\s\S]*?)\]|type ErrorCode =([\s\S]*?);/.exec(source) ?? [];
  const codes = new Set((union ?? source).match(/ERR_[A-Z_]+/g));
  const documented = new Set(readme.match(/`ERR_[A-Z_]+`/g)?.map((code) => code.slice(1, -1)));
  assert.deepEqual([...documented].sort(), [...codes].sort());
});

test('the option tables of the docs are up to date', async () => {
  const result = await runChild(path.join(root, 'scripts/docs.mjs'), ['--check'], { deadlineMs: 60_000 });
  assert.equal(result.code, 0, result.stdout + result.stderr);
});

test.run();
