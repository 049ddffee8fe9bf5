import type { Random } from '../../lib/data/random.js';
import type { ErrorCode } from '../../lib/errors.js';

/** What lies at a path inside a mutant's folder. */
export type Entry = Buffer | { link: string } | 'folder';
export type Files = { readonly [path: string]: Entry };

/** One kind of file: whole ones to begin with, and how they are damaged. */
export interface Format {
  name: string;
  /** Whole files, the same each time. Made in a folder that may be used. */
  bases(folder: string): Promise<Files[]>;
  /** A mutant of `files`, whose path must not leave its folder. */
  mutate(files: Files, random: Random): Files;
  /** The codes that opening a damaged one may end with. */
  codes: readonly ErrorCode[];
}

export function bytesOf(files: Files, path: string): Buffer {
  const entry = files[path];
  if (!Buffer.isBuffer(entry)) throw new Error(`expected bytes at ${path}, found ${String(entry)}`);
  return entry;
}
