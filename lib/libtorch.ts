import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './data/sources/cache.js';

/** A libtorch on this machine. */
export interface Libtorch {
  /** The folder that holds lib/. */
  root: string;
  version: string;
  /** What led there: 'LIBTORCH', ... */
  from: string;
}

/** A place where libtorch was sought. */
export interface Place {
  from: string;
  folder: string;
  /** What is wrong with it; absent where libtorch was found. */
  problem?: string;
}

export interface LibtorchSearch {
  found?: Libtorch;
  /** In the order of looking; the last one is where it was found, if it was. */
  places: Place[];
}

export interface SearchOptions {
  packageFolder: string;
  /** Where the addon was built, the libtorch that it was built with. */
  builtWith?: string | undefined;
  env?: NodeJS.ProcessEnv;
}

/** The virtual environment that `espalier setup` makes. */
export const cacheVenv = () => join(cacheFolder(), 'venv');

/**
 * Finds libtorch: LIBTORCH, which is exclusive; LIBTORCH_USE_PYTORCH=1; where the addon was built with it; the
 * package's own .venv; the one that `espalier setup` makes.
 */
export async function libtorchLocation(options: SearchOptions): Promise<LibtorchSearch> {
  const { packageFolder, builtWith, env = process.env } = options;
  const places: Place[] = [];
  const look = async (from: string, folder: string | undefined, missing: string) => {
    if (folder === undefined) {
      places.push({ from, folder: '', problem: missing });
      return undefined;
    }
    const found = await examine(folder);
    places.push({ from, folder, ...('problem' in found ? found : {}) });
    return 'problem' in found ? undefined : { root: resolve(folder), version: found.version, from };
  };
  const end = (found: Libtorch | undefined) => (found === undefined ? { places } : { found, places });

  if (env.LIBTORCH) return end(await look('LIBTORCH', env.LIBTORCH, ''));
  if (env.LIBTORCH_USE_PYTORCH === '1') {
    const { folder, problem } = await ofActivePython(env);
    return end(await look('LIBTORCH_USE_PYTORCH', folder, problem ?? ''));
  }
  if (builtWith !== undefined) {
    const found = await look('the build', builtWith, '');
    if (found !== undefined) return end(found);
  }
  const venvs = { "the package's .venv": join(packageFolder, '.venv'), 'espalier setup': cacheVenv() };
  for (const [from, venv] of Object.entries(venvs)) {
    const found = await look(from, await ofVenv(venv), `${venv} holds no torch`);
    if (found !== undefined) return end(found);
  }
  return end(undefined);
}

/** The library to open, so that the addon finds all of libtorch open. */
export const libraryOf = ({ root }: Libtorch): string => join(root, 'lib', 'libtorch.so');

export const hasCuda = ({ root }: Libtorch): boolean => existsSync(join(root, 'lib', 'libtorch_cuda.so'));

async function examine(folder: string): Promise<{ version: string } | { problem: string }> {
  const version = await readVersion(folder);
  if (version === undefined) return { problem: 'neither build-version nor version.py says a version' };
  const library = join(folder, 'lib', 'libtorch.so');
  const exists = await access(library).then(
    () => true,
    () => false,
  );
  return exists ? { version } : { problem: `it has no ${library}` };
}

// The standalone archive says it in build-version, the Python wheel in version.py.
async function readVersion(folder: string): Promise<string | undefined> {
  const read = (name: string) => readFile(join(folder, name), 'utf8').catch(() => '');
  return (
    /^\d+\.\d+\S*/.exec((await read('build-version')).trim())?.[0] ??
    /^__version__ = '(\d+\.\d+[^']*)'/m.exec(await read('version.py'))?.[1]
  );
}

async function ofVenv(venv: string): Promise<string | undefined> {
  const pythons = await readdir(join(venv, 'lib')).catch(() => []);
  for (const python of pythons) {
    const folder = join(venv, 'lib', python, 'site-packages', 'torch');
    if ((await readVersion(folder)) !== undefined) return folder;
  }
  return undefined;
}

// find_spec, not import: importing torch takes seconds.
const kProbe =
  'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")';

async function ofActivePython(env: NodeJS.ProcessEnv): Promise<{ folder?: string; problem?: string }> {
  try {
    const { stdout } = await promisify(execFile)('python3', ['-c', kProbe], { env });
    const folder = stdout.trim();
    return folder === '' ? { problem: 'the active python3 has no torch' } : { folder };
  } catch (error) {
    return { problem: `python3 does not run: ${(error as Error).message.trim()}` };
  }
}
