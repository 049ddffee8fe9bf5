import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findAddon, findLibtorch, surroundings } from '../loader.js';

const require = createRequire(import.meta.url);
// What decides how libtorch computes, so that a child computes as its parent does.
const kept = ['LD_LIBRARY_PATH', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OMP_WAIT_POLICY', 'GOMP_SPINCOUNT'];

const kChild = fileURLToPath(new URL('child.js', import.meta.url));

/** Starts the process of an isolated model: no standard streams, a bare environment, few rights. */
export async function launch(file: string, script = kChild): Promise<ChildProcess> {
  const around = surroundings();
  const addon = findAddon(around);
  const libtorch = await findLibtorch(addon, around);
  const env: NodeJS.ProcessEnv = { LIBTORCH: libtorch.root };
  for (const name of kept) if (process.env[name] !== undefined) env[name] = process.env[name];
  const modules = dirname(dirname(require.resolve('zod/package.json')));
  const readable = [
    around.packageFolder,
    modules,
    dirname(addon.file),
    libtorch.root,
    dirname(resolve(file)),
  ];
  return fork(script, [], {
    env,
    execArgv: permissions(readable),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
}

// Node's permission model: no writing, no processes, no Workers. It holds for Node's own functions, and not for
// what native code does, from which the operator scan keeps a model.
function permissions(folders: string[]): string[] {
  const known = process.allowedNodeEnvironmentFlags;
  const flag = ['--permission', '--experimental-permission'].find((name) => known.has(name));
  if (flag === undefined) return [];
  const real = folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => [folder, realpathSync(folder)]);
  // node-gyp-build looks there for the C library.
  return [
    flag,
    '--allow-addons',
    '--allow-fs-read=/etc/alpine-release',
    ...[...new Set(real)].map((folder) => `--allow-fs-read=${folder}${sep}*`),
  ];
}

/** Resident memory of a process in MB; undefined once it has ended. */
export function residentMB(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}
