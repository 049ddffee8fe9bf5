import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { EspalierError } from '../errors.js';
import { contactSheet } from './contactSheet.js';
import { npyBytes, npyHeader } from './npy.js';
import {
  type Images,
  type Recipe,
  type RoleName,
  roles,
  type SampleName,
  type SourceFile,
} from './recipe.js';

/** One role of a domain: file names inside its folder, and how many images they hold. */
export interface RoleFiles {
  images: string;
  labels: string;
  count: number;
}

/** What `domain.json` says. */
export interface SampleDescription {
  name: SampleName;
  classes: number;
  classNames: readonly string[];
  /** Of one image: channels, height, width. */
  shape: readonly number[];
  fit: RoleFiles;
  report: RoleFiles;
  /** Images left out of fit because report holds the same bytes. */
  leftOut: number;
  /** SHA-256 of each file. */
  digests: Record<string, string>;
  source: string;
  sourceFiles: SourceFile[];
  licence: string;
  recipe: string;
  seed: number;
  /** At most so many images a role were asked for; null: all. */
  limit: number | null;
  version: number;
}

/** What was asked for: another seed, limit or version makes another domain. */
export interface Request {
  recipe: Recipe;
  seed: number;
  limit: number | null;
}

const kDescription = 'domain.json';

/** The description in `folder`; undefined when there is none. */
export async function readDescription(folder: string): Promise<SampleDescription | undefined> {
  const path = join(folder, kDescription);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new EspalierError('ERR_IO', `${path}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    const description = JSON.parse(text) as SampleDescription;
    for (const role of roles) npyBytes([description[role].count, ...description.shape]);
    return description;
  } catch (cause) {
    throw new EspalierError(
      'ERR_DATA_INVALID',
      `${path}: expected the description of a sample domain; delete its folder and make it again`,
      { cause },
    );
  }
}

/** Whether `folder` holds what was asked for, whole: by the sizes of its files or, with `verify`, by their digests. */
export async function holds(folder: string, request: Request, verify: boolean): Promise<boolean> {
  const description = await readDescription(folder).catch(() => undefined);
  if (
    description?.name !== request.recipe.name ||
    description.version !== request.recipe.version ||
    description.seed !== request.seed ||
    description.limit !== request.limit
  ) {
    return false;
  }
  for (const [file, bytes] of expectedSizes(description)) {
    const found = await stat(join(folder, file)).catch(() => undefined);
    if (found?.size !== bytes) return false;
    if (verify && (await digestOf(join(folder, file))) !== description.digests[file]) return false;
  }
  return true;
}

function expectedSizes({ fit, report, shape }: SampleDescription): [file: string, bytes: number][] {
  return [fit, report].flatMap(({ images, labels, count }) => [
    [images, npyBytes([count, ...shape])],
    [labels, npyBytes([count])],
  ]);
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Writes a domain beside `folder` and puts it there when all of it is on the disk. */
export async function writeDomain(
  folder: string,
  { recipe, seed, limit }: Request,
  images: Record<RoleName, Images>,
  leftOut: number,
  sourceFiles: SourceFile[],
): Promise<SampleDescription> {
  await mkdir(dirname(folder), { recursive: true });
  const made = await mkdtemp(`${folder}.part-`);
  try {
    const digests: Record<string, string> = {};
    const write = async (file: string, shape: number[], data: Uint8Array) => {
      digests[file] = await writeNpy(join(made, file), shape, data);
    };
    const files = (role: RoleName): RoleFiles => ({
      images: `${role}-images.npy`,
      labels: `${role}-labels.npy`,
      count: images[role].labels.length,
    });
    for (const role of roles) {
      const { images: imagesFile, labels: labelsFile, count } = files(role);
      await write(imagesFile, [count, ...recipe.shape], images[role].data);
      await write(labelsFile, [count], images[role].labels);
    }
    const { name, classNames, shape, source, licence, version } = recipe;
    const description: SampleDescription = {
      name,
      classes: classNames.length,
      classNames,
      shape,
      fit: files('fit'),
      report: files('report'),
      leftOut,
      digests,
      source,
      sourceFiles,
      licence,
      recipe: recipe.recipe,
      seed,
      limit,
      version,
    };
    await writeFile(join(made, 'contact-sheet.png'), contactSheet(recipe, images));
    await writeFile(join(made, kDescription), `${JSON.stringify(description, null, 2)}\n`);
    await rm(folder, { recursive: true, force: true });
    await rename(made, folder);
    return description;
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

/** Returns the SHA-256 of what it wrote. */
async function writeNpy(path: string, shape: number[], data: Uint8Array): Promise<string> {
  const header = npyHeader(shape);
  const file = await open(path, 'w');
  try {
    await file.writeFile(header);
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
  return createHash('sha256').update(header).update(data).digest('hex');
}
