import path from 'node:path';
import { doctor } from '../../lib/doctor.js';
import { commandOf, machine, today } from '../origin.js';
import { formats } from './formats/index.js';
import { type FuzzOptions, type FuzzResult, fuzz } from './fuzz.js';
import { Mutants } from './mutants.js';
import { Reader } from './reader.js';

export { formats, fuzz };

/** What is kept of a run of the fuzzer. */
export async function record(
  { counts, findings, seconds }: FuzzResult,
  { seed, count, formats: of, child }: FuzzOptions,
) {
  const { libtorch } = await doctor();
  const options = [...(child ? ['--sanitize'] : []), ...(seed === 1 ? [] : ['--seed', `${seed}`])];
  return {
    command: commandOf('fuzz', options),
    date: today(),
    machine: machine({ versions: { libtorch: libtorch.found?.version ?? 'unknown' } }),
    seed,
    requested: count,
    formats: of.map(({ name }) => name),
    files: Object.values(counts)
      .flatMap((outcomes) => Object.values(outcomes))
      .reduce((a, b) => a + b, 0),
    seconds: Math.round(seconds),
    counts,
    findings: findings.map(({ format, index, kind }) => ({ format, index, kind })),
  };
}

/** Writes one mutant and opens it; what came of it. */
export async function show(options: FuzzOptions, index: number): Promise<string> {
  const format = options.formats[0]!;
  const mutants = await Mutants.of(format, options.seed, path.join(options.findings, 'bases'));
  const folder = path.join(options.findings, `${format.name}-${options.seed}-${index}`);
  mutants.write(index, folder);
  const env = {
    ...process.env,
    ESPALIER_FUZZ_MESSAGES: '1',
    XDG_CACHE_HOME: path.join(options.findings, 'cache'),
  };
  const program = path.join(import.meta.dirname, 'child.js');
  const reader = new Reader({ program, env, deadlineMs: 60_000, mostMegabytes: 4096 });
  const { kind, detail } = await reader.open(index, format.name, folder);
  await reader.close();
  return `${folder}: ${kind} ${detail}`;
}
