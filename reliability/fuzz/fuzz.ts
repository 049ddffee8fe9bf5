import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Format } from './format.js';
import { Mutants } from './mutants.js';
import { type Outcome, Reader } from './reader.js';

export interface FuzzOptions {
  formats: readonly Format[];
  /** Mutants of all formats together. */
  count: number;
  seed: number;
  /** Where the mutants are kept that something was wrong with. */
  findings: string;
  /** No mutant is begun after that. */
  minutes?: number;
  /** Twice as many as the processes would leave none to the driver. */
  processes?: number;
  /** Whose package the processes load, and what their environment is: this one's by default. */
  child?: { package: string; env: NodeJS.ProcessEnv };
  onDone?: (done: number, all: number) => void;
}

export interface Finding extends Outcome {
  format: string;
  seed: number;
  index: number;
  kept: string;
}

export interface FuzzResult {
  /** By format and outcome. */
  counts: { [format: string]: { [outcome: string]: number } };
  findings: Finding[];
  seconds: number;
}

const kDeadlineMs = 10_000;
const kMostMegabytes = 1024;
// Sanitizers keep freed memory back and slow everything down.
const kSlack = 3;
// A process is replaced after so many, so that what one mutant leaves behind does not stay for all the others.
const kLife = 500;

// Outcomes that are none of the format's codes, and no failure either: what a model that loaded does by itself.
const kHarmless = ['loaded', 'endless', 'exhausting'];

/** Opens damaged files in processes of their own; everything but a load or an expected error is a finding. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { formats, count, seed, minutes = Infinity, processes = 1, onDone } = options;
  const child = options.child ?? { package: path.resolve(import.meta.dirname, '../../..'), env: process.env };
  const slack = child.env.ASAN_OPTIONS === undefined ? 1 : kSlack;
  const start = performance.now();
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-fuzz-'));
  try {
    const all: Mutants[] = [];
    for (const format of formats)
      all.push(await Mutants.of(format, seed, path.join(work, `bases-${format.name}`)));
    const result: FuzzResult = { counts: {}, findings: [], seconds: 0 };
    const share = Math.ceil(count / formats.length);
    const queue = all.flatMap((mutants) =>
      Array.from({ length: Math.ceil(share / kLife) }, (_, i) => ({
        mutants,
        from: i * kLife,
        to: Math.min(share, (i + 1) * kLife),
      })),
    );
    let done = 0;
    const serve = async (number: number) => {
      // Of its own: it is emptied while the others work.
      const cache = path.join(work, `cache-${number}`);
      const env = { ...child.env, XDG_CACHE_HOME: cache };
      for (let batch = queue.shift(); batch; batch = queue.shift()) {
        const reader = new Reader({
          program: path.join(child.package, 'dist/reliability/fuzz/child.js'),
          env,
          deadlineMs: kDeadlineMs * slack,
          mostMegabytes: kMostMegabytes * slack,
        });
        const folder = path.join(work, `mutant-${number}`);
        // A whole file first: what a process needs for that is what mutants are measured against.
        batch.mutants.write(0, folder);
        await reader.open(0, batch.mutants.format.name, folder);
        let index = batch.from;
        for (; index < batch.to; index++) {
          if ((performance.now() - start) / 60_000 > minutes) break;
          batch.mutants.write(index, folder);
          const outcome = await reader.open(index, batch.mutants.format.name, folder);
          judge(result, batch.mutants, index, outcome, folder, options.findings);
          onDone?.(++done, share * formats.length);
        }
        const fault = await reader.close();
        if (fault !== undefined) {
          const outcome = { kind: 'end', detail: fault };
          keep(result, batch.mutants, index - 1, outcome, folder, options.findings);
        }
        fs.rmSync(cache, { recursive: true, force: true });
      }
    };
    await Promise.all(Array.from({ length: processes }, (_, number) => serve(number)));
    result.seconds = (performance.now() - start) / 1000;
    return result;
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

function judge(
  result: FuzzResult,
  mutants: Mutants,
  index: number,
  outcome: Outcome,
  folder: string,
  keepIn: string,
): void {
  const { format, wholes } = mutants;
  result.counts[format.name] ??= {};
  const own = result.counts[format.name]!;
  own[outcome.kind] = (own[outcome.kind] ?? 0) + 1;
  // The first ones are whole.
  const expected: readonly string[] = index < wholes ? ['loaded'] : [...kHarmless, ...format.codes];
  if (!expected.includes(outcome.kind)) keep(result, mutants, index, outcome, folder, keepIn);
}

function keep(
  { findings }: FuzzResult,
  { format, seed }: Mutants,
  index: number,
  outcome: Outcome,
  folder: string,
  keepIn: string,
): void {
  const kept = path.join(keepIn, `${format.name}-${seed}-${index}`);
  fs.mkdirSync(keepIn, { recursive: true });
  fs.rmSync(kept, { recursive: true, force: true });
  fs.cpSync(folder, kept, { recursive: true, verbatimSymlinks: true });
  fs.writeFileSync(path.join(kept, 'outcome.txt'), `${outcome.kind} ${outcome.detail}\n`);
  findings.push({ format: format.name, seed, index, ...outcome, kept });
}
