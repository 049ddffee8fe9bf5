import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Setting } from './setting.js';

/** A program that runs one side once: bench/cases/NAME.ts or bench/pytorch/NAME.py. */
export interface Program {
  language: 'node' | 'python';
  script: string;
  args: string[];
}

export const node = (script: string, ...args: string[]): Program => ({ language: 'node', script, args });
export const python = (script: string, ...args: string[]): Program => ({ language: 'python', script, args });

/** What one process measured: the last line that it prints. */
export interface Trial {
  ms: number;
  /** A number that the sides must agree on. */
  check: number;
  peakMegabytes: number;
  /** Of what computed it. */
  versions: { [name: string]: string };
  seed: number;
  /** SHA-256 of the samples as bytes: the same on both sides; null where a case has none. */
  data: string | null;
  /** What torch.compile took, beside `ms`. */
  compileSeconds?: number;
}

// A case that is about the start of a process leaves the time to the one who started it.
type Told = Omit<Trial, 'ms'> & { ms: number | null };

/** Where a side cannot run here: why. */
export interface LeftOut {
  leftOut: string;
}

export const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../..');

/** How a program is started: THREADS DEVICE SIZE [ARGUMENT ...] behind its file. */
export function commandOf(
  { language, script, args }: Program,
  { threads, device, size }: Setting,
): [command: string, args: string[]] {
  const [command, file] =
    language === 'node'
      ? [process.execPath, path.join(here, 'cases', `${script}.js`)]
      : [interpreter(), path.join(root, 'bench/pytorch', `${script}.py`)];
  return [command, [file, String(threads), device, size, ...args]];
}

/** One program in a process of its own, with a fixed number of threads. */
export async function trial(program: Program, setting: Setting): Promise<Trial | LeftOut> {
  const start = performance.now();
  const told = await lastLine<Told | LeftOut>(...commandOf(program, setting), setting.threads);
  return 'leftOut' in told ? told : { ...told, ms: told.ms ?? performance.now() - start };
}

/** The JSON of the last line that a process prints. */
export async function lastLine<Told>(command: string, args: string[], threads: number): Promise<Told> {
  return JSON.parse((await printed(command, args, threads)).at(-1) ?? '') as Told;
}

/** The lines that a process prints. */
export async function printed(
  command: string,
  args: string[],
  threads: number,
  more: NodeJS.ProcessEnv = {},
): Promise<string[]> {
  // Nothing else: threads wait for each other on each side as they do for its users.
  const env = {
    ...process.env,
    OMP_NUM_THREADS: String(threads),
    MKL_NUM_THREADS: String(threads),
    ...more,
  };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}`);
  return output.trim().split('\n');
}

export function interpreter(): string {
  const own = path.join(root, '.venv/bin/python');
  return fs.existsSync(own) ? own : 'python3';
}

/** What our side is asked to do. */
export function asked(): { threads: number; device: string; size: string; args: string[] } {
  const [threads = '1', device = 'cpu', size = 'short', ...args] = process.argv.slice(2);
  return { threads: Number(threads), device, size, args };
}

/** What programs print before and behind their timed part when they are taken apart. */
export const TIMED = 'timed';

/** What `run` gives, and how long it took. */
export async function timed<Result>(run: () => PromiseLike<Result>): Promise<{ ms: number; result: Result }> {
  const mark = () => {
    if (process.env.ESPALIER_BENCH_PROFILE !== undefined) console.log(TIMED);
    return performance.now();
  };
  const start = mark();
  const result = await run();
  return { ms: mark() - start, result };
}

/** Weights that are cut, of all layers. */
export const zerosOf = (layers: { zeros: number }[]) => layers.reduce((sum, { zeros }) => sum + zeros, 0);

/** Prints a trial of our side, which ran under `report`. */
export function tell(
  ms: number | null,
  check: number,
  { versions, seed }: Pick<Trial, 'versions' | 'seed'>,
  data: string | null = null,
): void {
  const peakMegabytes = process.resourceUsage().maxRSS / 1024;
  console.log(JSON.stringify({ ms, check, peakMegabytes, versions, seed, data } satisfies Told));
}
