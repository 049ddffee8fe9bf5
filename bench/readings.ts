import path from 'node:path';
import { type Case, cases, OURS } from './cases/index.js';
import type { Setting } from './setting.js';
import { quantile } from './statistics.js';
import {
  commandOf,
  interpreter,
  lastLine,
  node,
  type Program,
  printed,
  root,
  TIMED,
  type Trial,
} from './trial.js';

// What is no race: how time grows, how free the event loop stays, and what a race spends its time on.

/** What a program of a reading prints as its last line. */
interface Told {
  series: { title: string; x: string; threads: number; points: { x: number; rounds: number[] }[] }[];
  figures: Record<string, number>;
  versions: Record<string, string>;
  seed: number;
}

export interface Series {
  title: string;
  /** What the points lie over. */
  x: string;
  threads: number;
  /** Milliseconds. */
  points: { x: number; median: number; quartiles: [number, number] }[];
}

export interface Reading {
  name: string;
  title: string;
  date: string;
  device: string;
  versions: Record<string, string>;
  seed: number;
  series: Series[];
  /** The median of the trials, by what they are and their unit. */
  figures: Record<string, number>;
  /** The most that is aimed at, by figure. */
  goals: Record<string, number>;
}

interface Plan {
  name: string;
  title: string;
  programs: Pick<Program, 'language' | 'script'>[];
  /** Races whose time is taken apart, ours and that of eager PyTorch. */
  profiled?: string[];
  goals: Record<string, number>;
  trials: number;
  cpuOnly?: boolean;
  fullOnly?: boolean;
}

export const readings: Plan[] = [
  {
    name: 'scaling',
    title: 'how time grows',
    programs: [
      { language: 'python', script: 'scaling' },
      { language: 'node', script: 'scaling' },
    ],
    goals: { 'a layer of a masked step, microseconds': 5 },
    trials: 1,
  },
  {
    name: 'event-loop',
    title: 'delay of the event loop, sampling interval of 1 ms subtracted',
    programs: [{ language: 'node', script: 'event-loop' }],
    goals: { 'training, p99, ms': 5 },
    trials: 7,
    cpuOnly: true,
  },
  {
    name: 'profile',
    fullOnly: true,
    title: "milliseconds in oneDNN's convolutions and MKL's products, which both sides call, and in the rest",
    programs: [],
    profiled: [
      'ntl',
      'ntl-plain',
      'map',
      'map-plain',
      'ntp',
      'ntp-resnet20',
      'evaluate-domains',
      'train-convnet',
      'train-resnet18',
      'ltp-resnet18-32',
    ],
    goals: {},
    trials: 1,
    cpuOnly: true,
  },
];

export async function read(plan: Plan, setting: Setting): Promise<Reading> {
  const told: Told[] = [];
  for (let i = 0; i < (setting.trials ?? plan.trials); i++) {
    for (const { language, script } of plan.programs)
      told.push(await (language === 'node' ? askNode(script, setting) : askPython(script, setting)));
    for (const each of cases.filter(({ name }) => plan.profiled?.includes(name)))
      for (const side of [OURS, 'eager']) told.push(await takeApart(each, side, setting));
  }
  const names = [...new Set(told.flatMap(({ figures }) => Object.keys(figures)))];
  return {
    name: plan.name,
    title: plan.title,
    date: new Date().toISOString(),
    device: setting.device,
    versions: Object.assign({}, ...told.map(({ versions }) => versions)),
    seed: told[0]?.seed ?? 0,
    series: told.flatMap(({ series }) => series.map(summarise)),
    figures: Object.fromEntries(
      names.map((name) => [
        name,
        quantile(
          told.flatMap(({ figures }) => figures[name] ?? []),
          0.5,
        ),
      ]),
    ),
    goals: plan.goals,
  };
}

const askNode = (script: string, setting: Setting) =>
  lastLine<Told>(...commandOf(node(script), setting), setting.threads);

const askPython = (script: string, { threads, device, size }: Setting) =>
  lastLine<Told>(
    interpreter(),
    [
      path.join(root, 'bench/contests', `${script}.py`),
      ...['--threads', String(threads), '--device', device],
      ...(size === 'full' ? ['--full'] : []),
    ],
    threads,
  );

/** By what oneDNN and MKL print of each call between what a program prints around its timed part. */
async function takeApart({ name, sides }: Case, side: string, setting: Setting): Promise<Told> {
  const lines = await printed(...commandOf(sides[side] as Program, setting), setting.threads, {
    ONEDNN_VERBOSE: '1',
    MKL_VERBOSE: '1',
    ESPALIER_BENCH_PROFILE: '1',
  });
  const { ms, versions, seed } = JSON.parse(lines.at(-1) ?? '') as Trial;
  // The last part; a race of steps has another before it, of a run of one step, that its time is without.
  const marks = lines.flatMap((line, at) => (line === TIMED ? [at] : []));
  const [onceFrom, onceTo, from, to] = [marks.at(-4), marks.at(-3), marks.at(-2), marks.at(-1)];
  const within = (of: (line: string) => number) => {
    const sum = (part: string[]) => part.reduce((total, line) => total + of(line), 0);
    return sum(lines.slice(from, to)) - (onceFrom === undefined ? 0 : sum(lines.slice(onceFrom, onceTo)));
  };
  const convolutions = within(convolutionMs);
  const products = within(productMs);
  return {
    series: [],
    figures: {
      [`${name}, ${side}: convolutions`]: convolutions,
      [`${name}, ${side}: products`]: products,
      [`${name}, ${side}: the rest`]: ms - convolutions - products,
    },
    versions,
    seed,
  };
}

/** onednn_verbose,...,exec,cpu,convolution,...,1.23 */
function convolutionMs(line: string): number {
  const fields = line.split(',');
  const isOne = fields[0] === 'onednn_verbose' && fields.includes('exec') && fields.includes('convolution');
  return isOne ? Number(fields.at(-1)) : 0;
}

/** MKL_VERBOSE SGEMM(...) 1.23ms CNR:..., or us, or s. */
function productMs(line: string): number {
  const [, count, unit = ''] = /^MKL_VERBOSE \w+\(.*\) ([\d.]+)(ns|us|ms|s) /.exec(line) ?? [];
  const units: { [unit: string]: number } = { ns: 1e-6, us: 1e-3, ms: 1, s: 1e3 };
  return count === undefined ? 0 : Number(count) * (units[unit] ?? Number.NaN);
}

const summarise = ({ points, ...series }: Told['series'][number]): Series => ({
  ...series,
  points: points.map(({ x, rounds }) => ({
    x,
    median: quantile(rounds, 0.5),
    quartiles: [quantile(rounds, 0.25), quantile(rounds, 0.75)],
  })),
});

/** For the terminal. */
export function lines({ name, title, series, figures, goals }: Reading): string {
  const reached = (figure: string, value: number) =>
    goals[figure] === undefined ? '' : `  ${value <= goals[figure] ? 'reached' : 'missed'} ${goals[figure]}`;
  return [
    `${name}: ${title}`,
    ...series.map(
      ({ title, x, threads, points }) =>
        `  ${title}, ${threads} thread${threads > 1 ? 's' : ''}: ${points.map((point) => `${point.x}: ${point.median.toPrecision(3)} ms`).join(', ')} (${x})`,
    ),
    ...Object.entries(figures).map(
      ([figure, value]) => `  ${figure}: ${Number(value.toPrecision(3))}${reached(figure, value)}`,
    ),
  ].join('\n');
}
