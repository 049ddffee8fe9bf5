import fs from 'node:fs';
import path from 'node:path';
import { Problem } from './problem.mjs';
import { run, which } from './process.mjs';

// libtorch is the pinned wheel of the project's own .venv unless the user names another; these are the
// releases whose headers our sources build with.
export const kTorch = '2.13.0';
export const kOldest = [2, 13];
export const kNewest = [2, 14];
export const kRange = `${kOldest.join('.')} to ${kNewest.join('.')}`;

const waysOut = `set LIBTORCH to a libtorch ${kRange}, or unset it to let set-up fetch torch ${kTorch}`;

// What a libtorch folder holds; a Problem when it is none, or is out of range. `from` says who named it.
export function inspect(folder, from) {
  const root = path.resolve(folder);
  if (!fs.existsSync(root)) throw new Problem(`${from} is ${folder}, which does not exist: ${waysOut}.`);
  const version = readVersion(root);
  if (!version) {
    throw new Problem(
      `${from} is ${folder}, which is no libtorch (neither build-version nor version.py says a version): ${waysOut}.`,
    );
  }
  const minor = version.split('.').slice(0, 2).map(Number);
  if (compare(minor, kOldest) < 0 || compare(minor, kNewest) > 0) {
    throw new Problem(
      `${from} is ${folder}, which is libtorch ${version}, but Espalier builds with ${kRange}: ${waysOut}.`,
    );
  }
  for (const part of ['lib/libtorch_cpu.so', 'include/torch', 'share/cmake/Torch/TorchConfig.cmake']) {
    if (!fs.existsSync(path.join(root, part))) {
      throw new Problem(`${from} is ${folder}, which is libtorch ${version} without ${part}: ${waysOut}.`);
    }
  }
  return { root, version, variant: fs.existsSync(path.join(root, 'lib/libtorch_cuda.so')) ? 'cuda' : 'cpu' };
}

// The standalone archive says it in build-version, the Python wheel in version.py.
function readVersion(root) {
  const read = (name) => {
    const file = path.join(root, name);
    return fs.existsSync(file) && fs.statSync(file).isFile() ? fs.readFileSync(file, 'utf8') : '';
  };
  return (
    /^\d+\.\d+\S*/.exec(read('build-version').trim())?.[0] ??
    /^__version__ = '(\d+\.\d+[^']*)'/m.exec(read('version.py'))?.[1]
  );
}

const compare = (a, b) => a[0] - b[0] || a[1] - b[1];

// The libtorch that the environment names, or undefined when it names none.
export async function named(env = process.env) {
  if (env.LIBTORCH) return inspect(env.LIBTORCH, 'LIBTORCH');
  if (env.LIBTORCH_USE_PYTORCH === '1')
    return inspect(await ofActivePython(env), "LIBTORCH_USE_PYTORCH=1: the active Python's torch");
  if (env.LIBTORCH_USE_PYTORCH) {
    throw new Problem(
      `LIBTORCH_USE_PYTORCH is '${env.LIBTORCH_USE_PYTORCH}', expected 1: set it to 1, or unset it.`,
    );
  }
  return undefined;
}

// find_spec, not import: importing torch takes seconds.
async function ofActivePython(env) {
  const python = which('python3', env) ?? which('python', env);
  if (!python)
    throw new Problem(
      'LIBTORCH_USE_PYTORCH=1, but no python3 was found on PATH: install Python, or set LIBTORCH instead.',
    );
  const probe =
    'import sys, importlib.util as u; s = u.find_spec("torch"); print(sys.executable); print(s.submodule_search_locations[0] if s else "")';
  const { stdout } = await run(python, ['-c', probe], { env });
  const [interpreter = python, folder] = stdout.trim().split('\n');
  if (folder) return folder;
  throw new Problem(
    `LIBTORCH_USE_PYTORCH=1, but the active Python ${interpreter} (${python}) has no torch: activate the environment that has it, or set LIBTORCH instead.`,
  );
}

// The torch wheel inside a virtual environment, or undefined when it holds none of the pinned version.
export function ofVenv(venv) {
  const lib = path.join(venv, 'lib');
  if (!fs.existsSync(lib)) return undefined;
  for (const python of fs.readdirSync(lib)) {
    const folder = path.join(lib, python, 'site-packages/torch');
    if (readVersion(folder)?.split('+')[0] === kTorch) return inspect(folder, `${venv}'s torch`);
  }
  return undefined;
}
