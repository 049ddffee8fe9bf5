import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { nativeBuild, operators, root, venv } from './paths.mjs';
import { Problem } from './problem.mjs';
import { must, run, which } from './process.mjs';
import { digest, fits, write } from './stamp.mjs';

const kCmakeAtLeast = [3, 20];

// cmake and ninja: the machine's, else the ones that set-up put into the virtual environment.
export async function findTools(env = process.env) {
  const own = (name) => which(path.join(venv, 'bin', name));
  const cmake = which('cmake', env);
  return {
    cmake: cmake && (await isNewEnough(cmake)) ? cmake : own('cmake'),
    ninja: which('ninja', env) ?? own('ninja'),
  };
}

async function isNewEnough(cmake) {
  const [, major, minor] = /version (\d+)\.(\d+)/.exec((await run(cmake, ['--version'])).stdout) ?? [];
  return major > kCmakeAtLeast[0] || (Number(major) === kCmakeAtLeast[0] && minor >= kCmakeAtLeast[1]);
}

// The arguments that decide what CMake builds. CXX and ccache are found by CMake's own rules.
function configuration({ libtorch, compiler, ninja, cuda, output, werror, sanitize }) {
  const require = createRequire(path.join(root, 'package.json'));
  const napi = [require('node-api-headers').include_dir, path.dirname(require.resolve('node-addon-api'))];
  return [
    '-G',
    'Ninja',
    `-DCMAKE_MAKE_PROGRAM=${ninja}`,
    `-DCMAKE_CXX_COMPILER=${compiler}`,
    `-DESPALIER_LIBTORCH=${libtorch.root}`,
    `-DESPALIER_NAPI_INCLUDE=${napi.join(';')}`,
    `-DESPALIER_NATIVE_TESTS=${fs.existsSync(path.join(root, 'test/native')) ? 'ON' : 'OFF'}`,
    `-DESPALIER_NVCC=${cuda?.nvcc ?? ''}`,
    `-DESPALIER_WERROR=${werror ? 'ON' : 'OFF'}`,
    ...(output ? [`-DESPALIER_OUTPUT=${output}`] : []),
    ...(sanitize ? [`-DESPALIER_SANITIZE=${sanitize}`] : []),
  ];
}

// Who does not say keeps what the folder was built with: the other way compiles everything anew.
function wasStrict(folder) {
  const cache = path.join(folder, 'CMakeCache.txt');
  return fs.existsSync(cache) && /^ESPALIER_WERROR:BOOL=ON$/m.test(fs.readFileSync(cache, 'utf8'));
}

export async function configure(options) {
  const { cmake, ninja, folder = nativeBuild } = options;
  if (!cmake || !ninja) {
    throw new Problem(
      `${cmake ? 'ninja' : 'cmake 3.20 or later'} was not found: run 'npm run setup', which fetches it where the machine has none.`,
    );
  }
  const args = configuration({ ...options, werror: options.werror ?? wasStrict(folder) });
  const stamp = path.join(folder, 'espalier-configuration');
  // The version as well: another libtorch may come to stand in the same place.
  const key = digest([], args, options.libtorch.version, options.libtorch.variant);
  if (fits(stamp, key) && fs.existsSync(path.join(folder, 'build.ninja'))) return;
  // CMake keeps what it found in the cache, whatever the arguments say later.
  for (const left of ['CMakeCache.txt', 'build.ninja']) fs.rmSync(path.join(folder, left), { force: true });
  await must('Configuring the native build', cmake, ['-S', root, '-B', folder, ...args]);
  write(stamp, key);
}

// Builds targets, showing compiler messages as they are and the count of done steps now and then.
export async function build({ cmake, folder = nativeBuild, targets }) {
  const progress = counter();
  await must(
    'The native build',
    cmake,
    ['--build', folder, '--parallel', String(jobs()), '--target', ...targets],
    {
      env: { ...process.env, NINJA_STATUS: '[%f/%t] ' },
      onLine: (line) => progress(line) || console.log(line),
    },
  );
}

// A file that includes torch takes up to 1.5 GB to compile: fewer jobs than cores where memory is short.
function jobs() {
  const asked = Number(process.env.CMAKE_BUILD_PARALLEL_LEVEL);
  return asked > 0
    ? asked
    : Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2e9)));
}

const kEveryMs = 15_000;

// Takes a line of ninja's own; true when it needs no printing.
function counter() {
  let last = performance.now();
  return (line) => {
    const [, done, all] = /^\[(\d+)\/(\d+)\]/.exec(line) ?? [];
    if (done === undefined) return /^(ninja: (no work to do|Entering)|-- |\s*$)/.test(line);
    if (performance.now() - last > kEveryMs) {
      last = performance.now();
      console.log(`  ${done} of ${all} native build steps done`);
    }
    return true;
  };
}

// Links the addon and the operators for publication, which look for libtorch only beside themselves, and puts
// them into `folder`.
export async function install(tools, folder) {
  await build({ ...tools, targets: ['espalier_portable'] });
  fs.mkdirSync(folder, { recursive: true });
  for (const file of ['espalier.node', path.basename(operators)])
    fs.copyFileSync(path.join(root, 'build/portable', file), path.join(folder, file));
}
