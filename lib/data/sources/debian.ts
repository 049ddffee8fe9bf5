import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EspalierError, isEspalierError } from '../../errors.js';
import { fetchInto, reason, type Say } from './cache.js';

const run = promisify(execFile);

export const debianPackage = 'dataset-fashion-mnist';
const kFolder = 'usr/share/datasets/fashion-mnist';

/** Reads a file of Debian's dataset-fashion-mnist: the installed one, else one fetched with apt into the cache. */
export async function readFromDebian(file: string, cache: string, say: Say): Promise<Buffer> {
  const installed = await readFile(join('/', kFolder, file)).catch(() => undefined);
  if (installed !== undefined) return installed;
  const target = join(cache, 'apt', debianPackage);
  await fetchInto(target, async (folder) => {
    await mkdir(folder, { recursive: true });
    await download(folder, say);
    const archive = (await readdir(folder)).find((name) => name.endsWith('.deb'));
    if (archive === undefined) {
      throw new EspalierError('ERR_IO', `${debianPackage}: expected a .deb file from apt-get, found none`);
    }
    await run('dpkg-deb', ['-x', join(folder, archive), folder]);
    await rm(join(folder, archive));
  });
  return readFile(join(target, kFolder, file));
}

/** Needs no root: nothing is installed, and package lists that are missing are read into a folder of our own. */
async function download(folder: string, say: Say): Promise<void> {
  const get = (...arguments_: string[]) => run('apt-get', ['-q', ...arguments_], { cwd: folder });
  say(`fetches the Debian package ${debianPackage} with apt-get (31 MB)`);
  try {
    await get('download', debianPackage);
    return;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw unavailable('this machine has no apt-get', cause);
  }
  say('apt-get does not know the package yet: fetches the package lists (about 10 MB)');
  const state = join(folder, 'state');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  const own = [
    '-o',
    `Dir::State::lists=${join(state, 'lists')}`,
    '-o',
    'Dir::Cache::pkgcache=',
    '-o',
    'Dir::Cache::srcpkgcache=',
  ];
  try {
    await get(...own, 'update');
    await get(...own, 'download', debianPackage);
  } catch (cause) {
    throw unavailable(`apt-get cannot fetch it (${reason(cause)})`, cause);
  } finally {
    await rm(state, { recursive: true, force: true });
  }
}

/** Whether an error says that this machine cannot give the Debian package. */
export function isUnavailable(error: unknown): error is EspalierError {
  return isEspalierError(error, 'ERR_IO') && error.details?.unavailable === debianPackage;
}

function unavailable(why: string, cause: unknown): EspalierError {
  return new EspalierError(
    'ERR_IO',
    `the Debian package ${debianPackage}: ${why}; it comes from Debian or Ubuntu (\`apt-get install ${debianPackage}\`)`,
    { cause, details: { unavailable: debianPackage } },
  );
}
