import fs from 'node:fs';
import path from 'node:path';
import * as native from './native.mjs';
import { inRoot } from './paths.mjs';
import { must } from './process.mjs';
import { step } from './steps.mjs';

// Builds under the sanitizers of the compiler, beside the ordinary one and never in its place.
const folder = inRoot('build/sanitize');
// The addon lies in it as in a package, so that the loader finds it by node-gyp-build's ESPALIER_PREBUILD.
const packed = path.join(folder, 'package');
const release = path.join(packed, 'build/Release');
const kSuppressions = inRoot('cmake/leaks.supp');

export const sanitizedTests = path.join(folder, 'espalier_tests');

/** `targets` of CMake under the address and undefined behaviour sanitizers. */
export async function buildSanitized(tools, targets) {
  const options = { ...tools, folder, output: path.join(packed, 'build'), sanitize: 'address,undefined' };
  await step(`Building ${targets.join(', ')} with sanitizers`, async () => {
    await native.configure(options);
    await native.build({ ...options, targets });
  });
  if (!targets.includes('espalier')) return;
  fs.mkdirSync(path.join(release, 'preload'), { recursive: true });
  const preloader = 'preload/espalier-preload.node';
  fs.copyFileSync(path.join(packed, 'build', preloader), path.join(release, preloader));
}

const kUndefined = 'print_stacktrace=1:halt_on_error=1';

/** For a program that was built so: leaks are looked for when it ends. */
export const programEnvironment = (env = process.env) => ({
  ...env,
  ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1',
  LSAN_OPTIONS: `suppressions=${kSuppressions}:print_suppressions=0`,
  UBSAN_OPTIONS: kUndefined,
});

/**
 * For Node with the sanitized addon. Node is not instrumented, so the runtime must be there first. Node never frees
 * what it holds when it ends, so leaks are looked for in the C++ tests alone.
 */
export async function nodeEnvironment({ compiler }, env = process.env) {
  const library = async (name) =>
    (await must(`Finding ${name}`, compiler, [`-print-file-name=${name}`])).stdout.trim();
  return {
    ...env,
    ESPALIER_PREBUILD: packed,
    // The C++ library beside it: the runtime takes its exceptions from there, and Node brings none.
    LD_PRELOAD: [
      await library('libasan.so'),
      await library('libubsan.so'),
      await library('libstdc++.so.6'),
    ].join(' '),
    ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1',
    UBSAN_OPTIONS: kUndefined,
  };
}
