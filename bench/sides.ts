import { interval, quantile } from './statistics.js';

/** What one side of a race took. */
export interface SideFigures {
  /** Milliseconds. */
  median: number;
  min: number;
  quartiles: [number, number];
  /** Its median over ours: above 1 we are faster; with the 95 % bootstrap interval. */
  ratio: number;
  ratioInterval: [number, number];
  rounds: number[];
  /** Most that its process held. */
  peakMegabytes?: number;
  /** By how much its first call raised that. */
  grownMegabytes?: number;
  /** In the bytes that it must move at least. */
  gigabytesPerSecond?: number;
  /** Of torch.compile, not part of the times. */
  compileSeconds?: number;
}

export interface Race {
  name: string;
  title: string;
  /** Both sides from Python, in one process; or ours from Node, a process a trial. */
  kind: 'operators' | 'node';
  unit: 'ms';
  date: string;
  device: string;
  seed: number;
  /** SHA-256 of the samples, null where there are none. */
  data: string | null;
  versions: Record<string, Record<string, string>>;
  agreement: { difference: number; tolerance: number };
  /** The least ratio that is aimed at, by side. */
  goals: Record<string, number>;
  sides: Record<string, SideFigures>;
  leftOut: Record<string, string>;
  /** Of operators. */
  weights?: number;
  instructionSet?: string;
}

export function figuresOf(rounds: number[], ours: number[]): SideFigures {
  const median = quantile(rounds, 0.5);
  return {
    median,
    min: Math.min(...rounds),
    quartiles: [quantile(rounds, 0.25), quantile(rounds, 0.75)],
    ratio: median / quantile(ours, 0.5),
    ratioInterval: interval(rounds, ours),
    rounds,
  };
}

/** A table a race, for the terminal. */
export function table({ name, title, sides, leftOut, goals }: Race): string {
  const rows = Object.entries(sides).map(([side, each]) => [
    side,
    `${digits(each.median)} (${each.quartiles.map(digits).join('-')})`,
    digits(each.min),
    `${each.ratio.toFixed(2)} (${each.ratioInterval.map((value) => value.toFixed(2)).join('-')})`,
    goals[side] === undefined
      ? ''
      : `${each.ratio >= goals[side] ? 'reached' : 'missed'} ${Number(goals[side].toPrecision(3))}`,
    each.gigabytesPerSecond?.toFixed(1) ?? '',
    (each.grownMegabytes ?? each.peakMegabytes)?.toFixed(1) ?? '',
  ]);
  const header = ['', 'median ms (quartiles)', 'least', 'over ours (95 %)', 'goal', 'GB/s', 'MiB'];
  const widths = header.map((column, i) =>
    Math.max(column.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (row: string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ');
  return [
    `${name}: ${title}`,
    ...[header, ...rows].map((row) => `  ${line(row).trimEnd()}`),
    ...Object.entries(leftOut).map(([side, reason]) => `  left out: ${side}: ${reason}`),
  ].join('\n');
}

const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
