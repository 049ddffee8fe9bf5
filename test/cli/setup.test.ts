import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { runChild } from '../support/child.js';
import { root, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';

const scratch = temporaryFolder();

/** The package as it is installed: no lock file, no sources of TypeScript. */
function installed(name: string): string {
  const folder = path.join(scratch, name);
  for (const part of ['scripts', 'dist/lib', 'package.json']) {
    fs.cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
  }
  fs.symlinkSync(fs.realpathSync(path.join(root, 'node_modules')), path.join(folder, 'node_modules'));
  return folder;
}

const setup = (folder: string, env: NodeJS.ProcessEnv) =>
  runChild(path.join(folder, 'dist/lib/cli/main.js'), ['setup'], { cwd: scratch, env });

test('an installed package fetches libtorch into the cache folder, once', async () => {
  const torch = path.join(scratch, 'cache/espalier/venv/lib/python3.11/site-packages/torch');
  for (const file of ['lib/libtorch_cpu.so', 'include/torch/x', 'share/cmake/Torch/TorchConfig.cmake']) {
    fs.mkdirSync(path.dirname(path.join(torch, file)), { recursive: true });
    fs.writeFileSync(path.join(torch, file), '');
  }
  fs.writeFileSync(path.join(torch, 'version.py'), "__version__ = '2.13.0'\n");
  const { code, stdout, stderr } = await setup(installed('there'), {
    PATH: process.env.PATH,
    XDG_CACHE_HOME: path.join(scratch, 'cache'),
  });
  assert.is(code, 0, stderr);
  assert.is(stdout, `libtorch 2.13.0 is in ${torch} already.\n`);
});

test('without Python it says in one sentence what is missing', async () => {
  const { code, stderr } = await setup(installed('bare'), { PATH: scratch, XDG_CACHE_HOME: scratch });
  assert.is(code, 1);
  assert.match(stderr, 'Python');
  assert.is(stderr.trim().split('\n').length, 1, stderr);
});

test('without its addon a package still tells what is missing', async () => {
  const doctor = path.join(installed('hollow'), 'dist/lib/cli/main.js');
  const { code, stdout } = await runChild(doctor, ['doctor', '--json'], { cwd: scratch });
  assert.is(code, 1);
  const [problem] = (JSON.parse(stdout) as { problems: string[] }).problems;
  assert.match(problem as string, 'the native addon is not built');
});

test('in a clone it runs the set-up of the clone, and ends as that does', async () => {
  const folder = installed('clone');
  fs.writeFileSync(path.join(folder, 'package-lock.json'), '{}');
  fs.writeFileSync(
    path.join(folder, 'scripts/setup.mjs'),
    "console.log('the clone'); process.exitCode = 7;\n",
  );
  const { code, stdout } = await setup(folder, process.env);
  assert.is(code, 7);
  assert.is(stdout, 'the clone\n');
});

test.run();
