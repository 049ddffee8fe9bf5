import { join } from 'node:path';
import { EspalierError, outOfRange } from '../errors.js';
import { readDescription, type SampleDescription } from './folder.js';
import { sampleNames } from './recipe.js';
import { cacheFolder } from './sources/cache.js';

/** The folders where sample domains are sought, in this order. The last one is always writable by the user. */
export function sampleFolders(): string[] {
  const given = process.env.ESPALIER_DATA;
  return [...(given ? [given] : []), join(process.cwd(), 'data'), join(cacheFolder(), 'data')];
}

/** Where a sample domain stands, and what its `domain.json` says. */
export async function findSample(name: string): Promise<{ folder: string; description: SampleDescription }> {
  if (!sampleNames.some((known) => known === name)) {
    throw outOfRange(`one of ${sampleNames.join(', ')}`, 'the sample domain', name);
  }
  for (const parent of sampleFolders()) {
    const folder = join(parent, name);
    const description = await readDescription(folder);
    if (description !== undefined) return { folder, description };
  }
  throw new EspalierError(
    'ERR_DATA_INVALID',
    `the sample domain '${name}' is in none of ${sampleFolders().join(', ')}; make it with \`npx espalier data ${name}\``,
  );
}
