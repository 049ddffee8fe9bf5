import path from 'node:path';
import { interval, quantile } from './statistics.js';
import { lastLine, python, root } from './trial.js';

/** What one process of bench/contests/NAME.py prints: several sides, interleaved, from the same inputs. */
interface Told {
  times: Record<string, number[]>;
  grownMegabytes: Record<string, number>;
  agreement: { difference: number; tolerance: number };
  weights: number;
  bytesMoved: Record<string, number>;
  leftOut: Record<string, string>;
  instructionSet: string;
  versions: Record<string, string>;
  seed: number;
}

export interface ContestSide {
  median: number;
  min: number;
  quartiles: [number, number];
  /** Its median over ours: above 1 we are faster; with the 95 % bootstrap interval. */
  ratio: number;
  ratioInterval: [number, number];
  /** In the bytes that it must move at least, where the script says how many. */
  gigabytesPerSecond?: number;
  grownMegabytes?: number;
  rounds: number[];
}

export interface Contest extends Omit<Told, 'times' | 'grownMegabytes' | 'bytesMoved'> {
  name: string;
  unit: 'ms';
  date: string;
  sides: Record<string, ContestSide>;
}

/** The operators against PyTorch, both called from Python: bench/contests/NAME.py. */
export const contests = ['ltp-step', 'masked-sgd', 'masked-adam', 'selection', 'resnet18-step'];

export interface ContestOptions {
  trials: number;
  threads: number;
  /** A few weights and nothing compiled: only whether it runs. */
  tiny?: boolean;
}

/** Each trial is a process of its own; the rounds of all trials are taken together. */
export async function contest(
  name: string,
  { trials, threads, tiny = false }: ContestOptions,
): Promise<Contest> {
  const told: Told[] = [];
  for (let i = 0; i < trials; i++) told.push(await tell(name, threads, tiny));
  const first = told[0];
  if (!first) throw new Error(`expected at least one trial of ${name}, received ${trials}`);
  const { difference, tolerance } = first.agreement;
  const worst = Math.max(difference, ...told.map(({ agreement }) => agreement.difference));
  // A race between sides that compute different things has no figure.
  if (!(worst <= tolerance))
    throw new Error(`${name}: the sides differ by ${worst}, expected at most ${tolerance}`);
  const { times, grownMegabytes, bytesMoved, ...facts } = first;
  const rounds = (side: string) => told.flatMap((one) => one.times[side] ?? []);
  const ours = rounds('ours');
  const sides: Record<string, ContestSide> = {};
  for (const side of Object.keys(times)) {
    const all = rounds(side);
    const median = quantile(all, 0.5);
    const bytes = bytesMoved[side];
    sides[side] = {
      median,
      min: Math.min(...all),
      quartiles: [quantile(all, 0.25), quantile(all, 0.75)],
      ratio: median / quantile(ours, 0.5),
      ratioInterval: interval(all, ours),
      ...(bytes === undefined ? {} : { gigabytesPerSecond: bytes / median / 1e6 }),
      ...(grownMegabytes[side] === undefined ? {} : { grownMegabytes: grownMegabytes[side] }),
      rounds: all,
    };
  }
  return {
    name,
    unit: 'ms',
    date: new Date().toISOString(),
    ...facts,
    agreement: { difference: worst, tolerance },
    sides,
  };
}

function tell(name: string, threads: number, tiny: boolean): Promise<Told> {
  const script = path.join(root, 'bench/contests', `${name}.py`);
  return lastLine(python(), [script, '--threads', String(threads), ...(tiny ? ['--tiny'] : [])], threads);
}

/** A table a contest. */
export function table({ name, weights, instructionSet, sides, leftOut }: Contest): string {
  const rows = Object.entries(sides).map(([side, each]) => [
    side,
    `${each.median.toFixed(2)} (${each.quartiles.map((value) => value.toFixed(2)).join('-')})`,
    each.min.toFixed(2),
    `${each.ratio.toFixed(2)} (${each.ratioInterval.map((value) => value.toFixed(2)).join('-')})`,
    each.gigabytesPerSecond?.toFixed(1) ?? '',
    each.grownMegabytes?.toFixed(1) ?? '',
  ]);
  const header = ['', 'median ms (quartiles)', 'least', 'over ours (95 %)', 'GB/s', 'first call grew MiB'];
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ');
  return [
    `${name}: ${weights} weights, ${instructionSet}`,
    ...[header, ...rows].map((row) => `  ${line(row).trimEnd()}`),
    ...Object.entries(leftOut).map(([side, reason]) => `  left out: ${side}: ${reason}`),
  ].join('\n');
}
