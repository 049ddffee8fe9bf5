import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import * as native from './lib/native.mjs';
import { inRoot } from './lib/paths.mjs';
import { ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';
import { must, which } from './lib/process.mjs';
import { step } from './lib/steps.mjs';
import { report, runFile, runNative, summarize } from './lib/testing.mjs';

// npm run sanitize [-- FILTER]: C++ and JavaScript tests that read files, own memory or run threads, under the
// address, leak and undefined behaviour sanitizers, in a build of their own.

const folder = inRoot('build/sanitize');
// A package of its own, whose addon is the sanitized one: its libraries must not take the place of the ordinary ones.
const home = path.join(folder, 'package');
const files = ['model', 'domain', 'run', 'checkpoints', 'odd'].map((name) => `${name}.test.js`);
// Null, alignment and object size are left out of the undefined behaviour: they double what the compiler needs, and
// what they guard, a read or write outside of an object, the address sanitizer sees when it happens.
const checks = [
  'address',
  ...['signed-integer-overflow', 'integer-divide-by-zero', 'shift', 'bounds'],
  ...['bool', 'enum', 'return', 'unreachable', 'builtin'],
];
const kFileMs = 900_000;

await main(async () => {
  const { positionals } = parseArgs({ allowPositionals: true });
  const filter = positionals[0] ?? '';
  const tools = await ensureTools();
  const options = {
    ...tools,
    folder,
    output: path.join(home, 'build'),
    sanitize: checks.join(','),
    werror: false, // with sanitizers GCC warns of its own headers
  };
  await step('Building with sanitizers', async () => {
    await native.configure(options);
    await native.build({ ...options, targets: ['espalier', 'espalier_preload', 'espalier_tests'] });
  });
  await ensureTypeScript();
  mirror();
  const results = [];
  const onResult = (result) => {
    results.push(result);
    report(result);
  };
  onResult(await runNative(path.join(folder, 'espalier_tests'), filter, environment(), kFileMs));
  const env = { ...environment(), LD_PRELOAD: await runtimes(tools.compiler) };
  for (const title of files.filter((name) => name.includes(filter)))
    onResult(await runFile(path.join(home, 'dist/test', title), title, kFileMs, env));
  return summarize(results);
});

function environment() {
  return {
    ...process.env,
    ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  };
}

// Node itself is not built with them: they have to be there before it.
async function runtimes(compiler) {
  const paths = [];
  for (const name of ['libasan.so', 'libubsan.so']) {
    const { stdout } = await must(`Looking for ${name}`, which(compiler) ?? compiler, [
      `-print-file-name=${name}`,
    ]);
    paths.push(fs.realpathSync(stdout.trim()));
  }
  return paths.join(':');
}

// The compiled package beside the sanitized addon.
function mirror() {
  fs.rmSync(path.join(home, 'dist'), { recursive: true, force: true });
  fs.cpSync(inRoot('dist'), path.join(home, 'dist'), { recursive: true });
  fs.copyFileSync(inRoot('package.json'), path.join(home, 'package.json'));
  for (const name of ['node_modules', '.venv', 'test']) {
    const link = path.join(home, name);
    fs.rmSync(link, { force: true });
    if (fs.existsSync(inRoot(name))) fs.symlinkSync(inRoot(name), link);
  }
}
