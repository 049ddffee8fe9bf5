import type { Command } from 'commander';
import { findSample, makeSamples, sampleFolders, sampleNames } from '../../data/index.js';
import { isEspalierError } from '../../errors.js';
import { table, text } from '../../report/blocks.js';
import { count } from '../../report/format.js';
import { blocksToText } from '../../report/text.js';
import { misused } from '../usage.js';

interface Options {
  out?: string;
  seed: string;
  limit?: string;
  verify?: boolean;
  list?: boolean;
}

export function addData(command: Command): void {
  command
    .description('Makes the sample domains; one that is there already is left as it is.')
    .argument('[names...]', `Which: ${sampleNames.join(', ')}; all of them where none is named.`)
    .option(
      '--out <folder>',
      'Where: each domain becomes a folder in it; ESPALIER_DATA or the cache folder by default.',
    )
    .option('--seed <number>', 'Of the random choices in making them.', '0')
    .option('--limit <number>', 'At most so many images a role, to try things out.')
    .option('--verify', 'Compare the digests of domains that are there, not only the sizes of their files.')
    .option('--list', 'Show which are there, and where; make none.')
    .option('--verbose', 'Show the stack of an error.')
    .action(async (names: string[], options: Options) => {
      const unknown = names.find((name) => !sampleNames.some((known) => known === name));
      if (unknown !== undefined)
        throw misused(`one of ${sampleNames.join(', ')}`, 'the sample domain', unknown, sampleNames);
      if (options.list) process.stdout.write(await list(names));
      else await make(names, options);
    });
}

async function make(names: string[], { out, seed, limit, verify = false }: Options): Promise<void> {
  const outcomes = await makeSamples({
    ...(names.length > 0 && { names }),
    out: out ?? process.env.ESPALIER_DATA ?? (sampleFolders().at(-1) as string),
    seed: whole(seed, '--seed'),
    ...(limit !== undefined && { limit: whole(limit, '--limit') }),
    verify,
    onProgress: ({ name, message }) => process.stderr.write(`${name.padEnd(10)} ${message}\n`),
  });
  for (const outcome of outcomes) {
    if (outcome.status !== 'skipped') process.stdout.write(`${outcome.folder}\n`);
  }
}

function whole(word: string, name: string): number {
  const value = Number(word);
  if (word.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw misused('a whole number >= 0', name, word);
  return value;
}

async function list(names: string[]): Promise<string> {
  const rows: string[][] = [];
  for (const name of names.length > 0 ? names : sampleNames) rows.push([name, ...(await whereabouts(name))]);
  return blocksToText([table('Sample domains', ['Name', 'Fit', 'Report', 'Folder'].map(text), rows)]);
}

async function whereabouts(name: string): Promise<string[]> {
  try {
    const { folder, description } = await findSample(name);
    return [count(description.fit.count), count(description.report.count), folder];
  } catch (error) {
    if (isEspalierError(error, 'ERR_DATA_INVALID')) return ['–', '–', `not made: npx espalier data ${name}`];
    throw error;
  }
}
