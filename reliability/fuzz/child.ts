import fs from 'node:fs';
import readline from 'node:readline';
import { isEspalierError } from '../../lib/errors.js';
import { open } from './open.js';

// Opens the mutants whose "index<tab>format<tab>folder" comes in, one after another, and tells of each before, at
// each stage, and after: what ends the process is then known by the last line.

const tell = (...words: (string | number)[]) => fs.writeSync(1, `${words.join('\t')}\n`);

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [index, format, folder] = line.split('\t') as [string, string, string];
  tell('start', index);
  let outcome = 'loaded';
  try {
    await open(format, folder, (stage) => tell('stage', index, stage));
  } catch (error) {
    outcome = isEspalierError(error) ? error.code : `untyped ${(error as Error)?.stack ?? error}`;
    if (outcome === 'ERR_INTERNAL' || process.env.ESPALIER_FUZZ_MESSAGES)
      outcome += ` ${(error as Error).message}`;
  }
  const { maxRSS } = process.resourceUsage();
  tell('end', index, maxRSS, outcome.replaceAll(/[\n\t]/g, ' | '));
}
