import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EspalierError } from '../errors.js';
import { ioError } from './formats/cached.js';
import { isGzip, unpackGzip } from './formats/gzip.js';
import { prepareImageFolder } from './formats/imageFolder.js';
import { isZip, unpackNpz } from './formats/npz.js';

/** Where a dataset lies: one path that holds samples and labels, or a file each. */
export type DataSource = string | { images: string; labels: string };

export interface PrepareOptions {
  /** Images of a folder are brought to `size` x `size` pixels while they are decoded. */
  size?: number;
  /** What a compressed file may unpack to. */
  maxUnpackedBytes?: number;
}

/** What the native reader opens. */
export interface PreparedSource {
  images: string;
  /** Empty where `images` holds both. */
  labels: string;
  /** Of an image folder: its subfolders in the order of their labels. */
  classNames?: string[];
}

const kMaxUnpackedBytes = 16 * 2 ** 30;

/**
 * Turns what the native reader does not read into what it reads, in the cache folder: gzip is unpacked, npz is
 * taken apart, an image folder is decoded. Everything else is handed on as it is.
 */
export async function prepareSource(
  source: DataSource,
  { size, maxUnpackedBytes = kMaxUnpackedBytes }: PrepareOptions = {},
): Promise<PreparedSource> {
  if (typeof source !== 'string') {
    const [images, labels] = await Promise.all(
      [source.images, source.labels].map((path) => prepareFile(path, maxUnpackedBytes)),
    );
    return { images: images!, labels: labels! };
  }
  if (await isFolder(source)) {
    // A folder without subfolders holds CIFAR records, if anything.
    const hasClasses = await hasSubfolders(source);
    return hasClasses ? prepareImageFolder(source, size) : { images: source, labels: '' };
  }
  if (isZip(await firstBytes(source))) return unpackNpz(source, maxUnpackedBytes);
  return { images: await prepareFile(source, maxUnpackedBytes), labels: '' };
}

async function prepareFile(path: string, maxBytes: number): Promise<string> {
  const start = await firstBytes(path);
  if (isZip(start)) {
    throw new EspalierError(
      'ERR_DATA_INVALID',
      `${path}: expected a file with one array, found a zip archive; give an npz with images and labels as the only path`,
    );
  }
  return isGzip(start) ? unpackGzip(path, maxBytes) : path;
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch((cause) => {
    throw ioError('open', path, cause);
  });
  return found.isDirectory();
}

async function hasSubfolders(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((cause) => {
    throw ioError('read', folder, cause);
  });
  for (const name of names) {
    if (!name.startsWith('.') && (await isFolder(join(folder, name)))) return true;
  }
  return false;
}

async function firstBytes(path: string): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    // A named pipe would wait for its writer: the native reader refuses it.
    if (!(await stat(path)).isFile()) return Buffer.alloc(0);
    file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    throw ioError('read', path, cause);
  } finally {
    await file?.close();
  }
}
