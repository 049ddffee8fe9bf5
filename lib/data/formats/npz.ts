import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { isEspalierError } from '../../errors.js';
import type { PreparedSource } from '../open.js';
import { cached, damaged, digestOf, ioError, overLimit } from './cached.js';

const kArrays = ['images.npy', 'labels.npy'] as const;
// numpy writes one entry an array; who holds more than this holds no dataset.
const kMaxEntries = 1000;

export function isZip(start: Buffer): boolean {
  return start.length >= 4 && start.readUInt32BE(0) === 0x504b0304;
}

/** The arrays `images` and `labels` of an npz, as files. */
export async function unpackNpz(path: string, maxBytes: number): Promise<PreparedSource> {
  const folder = await cached(await digestOf(path), kArrays, (part) => unpack(path, part, maxBytes));
  return { images: join(folder, kArrays[0]), labels: join(folder, kArrays[1]) };
}

async function unpack(path: string, folder: string, maxBytes: number): Promise<void> {
  try {
    const zip = await openZip(path);
    try {
      const entries = await listEntries(zip, path);
      let left = maxBytes;
      for (const name of kArrays) {
        const entry = entries.get(name);
        if (entry === undefined) {
          throw damaged(path, `arrays named images and labels`, [...entries.keys()].join(', ') || 'none');
        }
        left -= entry.uncompressedSize;
        if (left < 0) throw overLimit(path, maxBytes);
        await extract(zip, entry, path, join(folder, name));
      }
    } finally {
      zip.close();
    }
  } catch (cause) {
    if (isEspalierError(cause)) throw cause;
    // The system's errors have a number; what yauzl and zlib throw is about the file's content.
    if ((cause as NodeJS.ErrnoException).errno !== undefined && !isZlib(cause))
      throw ioError('unpack', path, cause);
    throw damaged(path, 'a whole npz file', `damage (${(cause as Error).message})`, cause);
  }
}

const isZlib = (error: unknown) => `${(error as NodeJS.ErrnoException).code}`.startsWith('Z_');

function openZip(path: string): Promise<ZipFile> {
  const options = { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySizes: true };
  return new Promise((resolve, reject) => {
    yauzl.open(path, options, (error, zip) => (error ? reject(error) : resolve(zip)));
  });
}

function listEntries(zip: ZipFile, path: string): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  return new Promise((resolve, reject) => {
    zip.once('error', reject);
    zip.once('end', () => resolve(entries));
    zip.on('entry', (entry: Entry) => {
      if (entries.has(entry.fileName))
        reject(damaged(path, 'one entry a name', `two named ${entry.fileName}`));
      else if (entries.size === kMaxEntries) reject(damaged(path, `at most ${kMaxEntries} entries`, 'more'));
      else {
        entries.set(entry.fileName, entry);
        zip.readEntry();
      }
    });
    zip.readEntry();
  });
}

async function extract(zip: ZipFile, entry: Entry, path: string, target: string): Promise<void> {
  const openStream = promisify<Entry, Readable>((of, done) => zip.openReadStream(of, done));
  let checksum = 0;
  await pipeline(
    await openStream(entry),
    async function* sum(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        checksum = crc32(chunk, checksum);
        yield chunk;
      }
    },
    createWriteStream(target, { flush: true }),
  );
  if (checksum !== entry.crc32) {
    throw damaged(path, `checksum ${hex(entry.crc32)} of ${entry.fileName}`, hex(checksum));
  }
}

const hex = (value: number) => value.toString(16).padStart(8, '0');
