import { createHash } from 'node:crypto';
import { type FileHandle, open, readdir, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Metadata, Sharp } from 'sharp';
import { EspalierError } from '../../errors.js';
import { npyHeader } from '../npy.js';
import type { PreparedSource } from '../open.js';
import { cached, damaged, digestOf, ioError } from './cached.js';

const kImages = 'images.npy';
const kLabels = 'labels.npy';
const kExtensions = new Set(['.png', '.jpg', '.jpeg', '.webp', '.gif', '.tif', '.tiff', '.avif']);
// Decoded at a time; sharp has threads of its own.
const kAtOnce = 16;
// Raised when the same files would decode to other bytes.
const kVersion = 1;

interface ImageFile {
  path: string;
  label: number;
}
interface Format {
  width: number;
  height: number;
  channels: 1 | 3;
}
type OpenImage = (path: string) => Sharp;

/**
 * A folder that holds a folder a class: labels follow the sorted names of the folders, samples the sorted names
 * of the files. Images are decoded once, to uint8 with one channel when all are grey, with three otherwise;
 * transparency is laid over black, the orientation that a camera noted is not applied. With `size` the whole
 * image is scaled to a square; without it all must have one size.
 */
export async function prepareImageFolder(folder: string, size: number | undefined): Promise<PreparedSource> {
  const { classNames, files } = await listImages(folder);
  const digest = await digestOfFiles(folder, files, { classNames, size: size ?? null, version: kVersion });
  const made = await cached(digest, [kImages, kLabels], async (part) => {
    const openImage = await loadSharp();
    const format = await commonFormat(files, size, openImage);
    await writeImages(join(part, kImages), files, format, openImage);
    await writeLabels(join(part, kLabels), files);
  });
  return { images: join(made, kImages), labels: join(made, kLabels), classNames };
}

async function listImages(folder: string): Promise<{ classNames: string[]; files: ImageFile[] }> {
  const classNames: string[] = [];
  const files: ImageFile[] = [];
  for (const entry of await list(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const label = classNames.push(entry.name) - 1;
      files.push(...(await list(path)).map((file) => ({ path: join(path, file.name), label })));
    } else if (isImageName(entry.name)) {
      throw damaged(path, 'images in a folder a class', 'an image beside the folders');
    }
  }
  const stranger = files.find((file) => !isImageName(file.path));
  if (stranger) {
    throw damaged(
      stranger.path,
      `an image (${[...kExtensions].join(' ')})`,
      'another kind of file or folder',
    );
  }
  if (files.length === 0) throw damaged(folder, 'images in a folder a class', 'no image');
  return { classNames, files };
}

const isImageName = (name: string) => kExtensions.has(extname(name).toLowerCase());

// In the order of code units, which is the same everywhere; hidden files are the system's, not the user's.
async function list(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    throw ioError('read', folder, cause);
  });
  return entries.filter(({ name }) => !name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function digestOfFiles(folder: string, files: ImageFile[], facts: object): Promise<string> {
  const hash = createHash('sha256').update(`image folder ${JSON.stringify(facts)}\n`);
  for (const { path } of files) {
    hash.update(`${JSON.stringify(path.slice(folder.length))} ${await digestOf(path)}\n`);
  }
  return hash.digest('hex');
}

async function loadSharp(): Promise<OpenImage> {
  try {
    const { default: sharp } = await import('sharp');
    // In parallel over images, not inside one; a warning means that pixels are missing.
    return (path) => sharp(path, { failOn: 'warning', sequentialRead: true });
  } catch (cause) {
    throw new EspalierError(
      'ERR_PLATFORM_UNSUPPORTED',
      'image folders are decoded by the optional package sharp, which cannot be loaded; install it: npm install sharp',
      { cause },
    );
  }
}

async function commonFormat(
  files: ImageFile[],
  size: number | undefined,
  openImage: OpenImage,
): Promise<Format> {
  let channels: 1 | 3 = 1;
  let first: { path: string; width: number; height: number } | undefined;
  await inOrder(
    files,
    ({ path }) => decode(path, openImage(path).metadata()),
    ({ path }, { width, height, space }: Metadata) => {
      if (space !== 'b-w' && space !== 'grey16') channels = 3;
      first ??= { path, width, height };
      if (size === undefined && (width !== first.width || height !== first.height)) {
        throw damaged(
          path,
          `${first.width} x ${first.height} pixels as in ${first.path} (or the option size, which scales all)`,
          `${width} x ${height}`,
        );
      }
    },
  );
  return { width: size ?? first!.width, height: size ?? first!.height, channels };
}

async function writeImages(
  target: string,
  files: ImageFile[],
  format: Format,
  openImage: OpenImage,
): Promise<void> {
  const { width, height, channels } = format;
  await withFile(target, async (out) => {
    await out.write(npyHeader([files.length, channels, height, width]));
    await inOrder(
      files,
      ({ path }) => decode(path, pixels(openImage(path), format)),
      (_, interleaved) => out.write(planes(interleaved, channels)),
    );
  });
}

function pixels(image: Sharp, { width, height, channels }: Format): Promise<Buffer> {
  return image
    .flatten({ background: 'black' })
    .resize(width, height, { fit: 'fill' })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw({ depth: 'uchar' })
    .toBuffer();
}

// Height x width x channels to channels x height x width.
function planes(interleaved: Buffer, channels: number): Buffer {
  if (channels === 1) return interleaved;
  const area = interleaved.length / channels;
  const out = Buffer.allocUnsafe(interleaved.length);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < area; i++) out[channel * area + i] = interleaved[i * channels + channel]!;
  }
  return out;
}

async function writeLabels(target: string, files: ImageFile[]): Promise<void> {
  const labels = Buffer.alloc(4 * files.length);
  files.forEach(({ label }, i) => {
    labels.writeInt32LE(label, 4 * i);
  });
  await writeFile(target, Buffer.concat([npyHeader([files.length], '<i4'), labels]), { flush: true });
}

async function withFile(target: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(target, 'wx');
  try {
    await write(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function decode<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw damaged(path, 'an image', `damage (${(cause as Error).message.trim()})`, cause);
  }
}

// Starts `kAtOnce` at a time and takes what they give in the order of `items`.
async function inOrder<Item, Result>(
  items: Item[],
  start: (item: Item) => Promise<Result>,
  take: (item: Item, result: Result) => unknown,
): Promise<void> {
  for (let at = 0; at < items.length; at += kAtOnce) {
    const group = items.slice(at, at + kAtOnce);
    const results = await Promise.all(group.map(start));
    for (const [i, item] of group.entries()) await take(item, results[i]!);
  }
}
