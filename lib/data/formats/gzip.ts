import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { crc32, createGunzip } from 'node:zlib';
import { EspalierError, isEspalierError } from '../../errors.js';
import { cached, damaged, digestOf, ioError, overLimit } from './cached.js';

const kTrailerBytes = 8;
// How pipeline tells that the unpacker ended before its input did.
const kEndedEarly = ['ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE'];

export function isGzip(start: Buffer): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/** The path of the unpacked file, which keeps its name without `.gz`: the name can say what the content is. */
export async function unpackGzip(path: string, maxBytes: number): Promise<string> {
  const name = basename(path).replace(/\.gz$/i, '');
  if (/\.(tar|tgz)$/i.test(name)) {
    throw new EspalierError(
      'ERR_DATA_INVALID',
      `${path}: expected a data file, found a tar archive; unpack it with tar -xzf and open what is in it`,
    );
  }
  const folder = await cached(await digestOf(path), [name], (part) =>
    unpack(path, join(part, name), maxBytes),
  );
  return join(folder, name);
}

async function unpack(path: string, target: string, maxBytes: number): Promise<void> {
  let bytes = 0;
  let checksum = 0;
  try {
    await pipeline(
      createReadStream(path),
      createGunzip(),
      async function* count(chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          bytes += chunk.length;
          if (bytes > maxBytes) throw overLimit(path, maxBytes);
          checksum = crc32(chunk, checksum);
          yield chunk;
        }
      },
      createWriteStream(target, { flush: true }),
    );
  } catch (cause) {
    if (isEspalierError(cause)) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== undefined && kEndedEarly.includes(code)) throw trailing(path, cause);
    if (!code?.startsWith('Z_')) throw ioError('unpack', path, cause);
    throw damaged(path, 'a whole gzip file', `damage (${message})`, cause);
  }
  // Bytes behind the end of the stream are dropped without a word by zlib; they would stand where the trailer
  // stands.
  const trailer = await lastBytes(path);
  if (trailer.readUInt32LE(0) !== checksum || trailer.readUInt32LE(4) !== bytes % 2 ** 32) {
    throw trailing(path);
  }
}

function trailing(path: string, cause?: unknown): EspalierError {
  return damaged(
    path,
    'one gzip stream that ends with the file',
    'other bytes behind it (trailing bytes, or several streams joined: unpack those with gunzip)',
    cause,
  );
}

async function lastBytes(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(kTrailerBytes), 0, kTrailerBytes, size - kTrailerBytes);
    return buffer;
  } finally {
    await file.close();
  }
}
