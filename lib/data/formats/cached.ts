import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { EspalierError, isEspalierError } from '../../errors.js';
import { cacheFolder, fetchInto } from '../sources/cache.js';

/** The digest of a file's bytes, which names what is made from it. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const found = await stat(path).catch((cause) => {
    throw ioError('open', path, cause);
  });
  // A device or a pipe may have no end.
  if (!found.isFile()) throw new EspalierError('ERR_IO', `cannot read ${path}: expected a regular file`);
  await pipeline(createReadStream(path), hash).catch((cause) => {
    throw ioError('read', path, cause);
  });
  return hash.digest('hex');
}

/**
 * The folder of the cache that holds `files`, made from what `digest` names: found there, or filled by `fill`.
 * A folder of which somebody removed files is filled again.
 */
export async function cached(
  digest: string,
  files: readonly string[],
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(cacheFolder(), 'datasets', digest);
  try {
    const isWhole = files.every((file) => existsSync(join(folder, file)));
    if (!isWhole) await rm(folder, { recursive: true, force: true });
    await fetchInto(folder, fill);
  } catch (cause) {
    throw isEspalierError(cause) ? cause : ioError('write', folder, cause);
  }
  return folder;
}

export function ioError(doing: string, path: string, cause: unknown): EspalierError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EspalierError('ERR_IO', `cannot ${doing} ${path}: ${reason}`, { cause });
}

/** A damaged file, in the form in which the native reader tells of one. */
export function damaged(path: string, expected: string, found: string, cause?: unknown): EspalierError {
  return new EspalierError('ERR_DATA_INVALID', `${path}: expected ${expected}, found ${found}`, {
    details: { file: path, expected, found },
    ...(cause === undefined ? {} : { cause }),
  });
}

export function overLimit(path: string, maxBytes: number): EspalierError {
  return new EspalierError(
    'ERR_LIMIT_EXCEEDED',
    `${path}: expected at most ${maxBytes} bytes when unpacked, found more; if that is no mistake, unpack it yourself`,
    { details: { file: path, maxBytes } },
  );
}
