import fs from 'node:fs';
import path from 'node:path';
import * as native from './native.mjs';
import { inRoot } from './paths.mjs';
import { ensureTypeScript } from './prepare.mjs';
import { must, which } from './process.mjs';
import { step } from './steps.mjs';

// The package with the address, leak and undefined behaviour sanitizers in its addon, in a folder of its own: its
// libraries must not take the place of the ordinary ones.

const folder = inRoot('build/sanitize');
export const home = path.join(folder, 'package');
export const nativeTests = path.join(folder, 'espalier_tests');

// Null, alignment and object size are left out of the undefined behaviour: they double what the compiler needs, and
// what they guard, a read or write outside of an object, the address sanitizer sees when it happens.
const checks = [
  'address',
  ...['signed-integer-overflow', 'integer-divide-by-zero', 'shift', 'bounds'],
  ...['bool', 'enum', 'return', 'unreachable', 'builtin'],
];

/** Builds what is missing of it: the addon, and `targets` of the build besides. */
export async function buildSanitized(tools, targets = []) {
  const options = {
    ...tools,
    folder,
    output: path.join(home, 'build'),
    sanitize: checks.join(','),
    werror: false, // with sanitizers GCC warns of its own headers
  };
  await step('Building with sanitizers', async () => {
    await native.configure(options);
    await native.build({ ...options, targets: ['espalier', 'espalier_preload', ...targets] });
  });
  await ensureTypeScript();
  mirror();
}

/** Of a program that is built with them. */
export function environment() {
  return {
    ...process.env,
    ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  };
}

/** Of Node, which is not: they have to be there before it. */
export async function nodeEnvironment({ compiler }) {
  const paths = [];
  for (const name of ['libasan.so', 'libubsan.so']) {
    const { stdout } = await must(`Looking for ${name}`, which(compiler) ?? compiler, [
      `-print-file-name=${name}`,
    ]);
    paths.push(fs.realpathSync(stdout.trim()));
  }
  return { ...environment(), LD_PRELOAD: paths.join(':') };
}

/**
 * The same for a process that opens damaged models. What libtorch's compiler allocates for code that then does not
 * compile is not all freed; that it is not is no finding.
 */
export async function damagedEnvironment(tools) {
  const file = path.join(folder, 'leaks.txt');
  fs.writeFileSync(file, 'leak:libtorch_cpu.so\n');
  return {
    ...(await nodeEnvironment(tools)),
    LSAN_OPTIONS: `suppressions=${file}:print_suppressions=0`,
  };
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
