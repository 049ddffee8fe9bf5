import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from '../lib/index.js';

export type Side = 'ours' | 'pytorch';

/** What one process measured: the last line that it prints. */
export interface Trial {
  ms: number;
  /** A number that both sides must agree on. */
  check: number;
  peakMegabytes: number;
  /** Of what computed it. */
  versions: { [name: string]: string };
  seed: number;
  /** SHA-256 of the samples as bytes: the same on both sides; null where a case has none. */
  data: string | null;
}

const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../..');

/** One case on one side in a process of its own, with a fixed number of threads. */
export async function trial(name: string, side: Side, threads: number): Promise<Trial> {
  const [command, script] =
    side === 'ours'
      ? [process.execPath, path.join(here, 'cases', `${name}.js`)]
      : [python(), path.join(root, 'bench/pytorch', `${name}.py`)];
  return lastLine<Trial>(command, [script, String(threads)], threads);
}

/** The JSON of the last line that a process prints. */
export async function lastLine<Told>(command: string, args: string[], threads: number): Promise<Told> {
  // Threads wait for each other on both sides as they do on ours: on a machine that others use too, PyTorch's
  // usual spinning would be what is measured.
  const env = {
    ...process.env,
    OMP_NUM_THREADS: String(threads),
    MKL_NUM_THREADS: String(threads),
    GOMP_SPINCOUNT: '1000',
  };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}`);
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Told;
}

export function python(): string {
  const own = path.join(root, '.venv/bin/python');
  return fs.existsSync(own) ? own : 'python3';
}

/** Weights that are cut, of all layers. */
export const zerosOf = (layers: { zeros: number }[]) => layers.reduce((sum, { zeros }) => sum + zeros, 0);

/** Prints a trial of our side, which ran under `report`. */
export function tell(
  ms: number,
  check: number,
  { versions, seed }: Pick<Report, 'versions' | 'seed'>,
  data: string | null = null,
): void {
  const peakMegabytes = process.resourceUsage().maxRSS / 1024;
  console.log(JSON.stringify({ ms, check, peakMegabytes, versions, seed, data } satisfies Trial));
}
