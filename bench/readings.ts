import path from 'node:path';
import type { Setting } from './setting.js';
import { quantile } from './statistics.js';
import { here, interpreter, lastLine, printed, root, type Trial } from './trial.js';

// What is measured of us alone: how time grows, and how free the event loop stays.

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
  programs: { language: 'node' | 'python'; script: string; args?: string[]; isProfiled?: boolean }[];
  goals: Record<string, number>;
  trials: number;
  cpuOnly?: boolean;
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
    name: 'convolutions',
    title: "share of our run that passes in oneDNN's convolutions, which both sides call",
    programs: [
      ['ntl', 'transfer'],
      ['ntl', 'plain'],
      ['map', 'transfer'],
      ['map', 'plain'],
      ['ntp', 'simulated', 'convnet'],
      ['train', 'convnet', 'float32'],
      ['train', 'resnet18', 'float32'],
    ].map(([script = '', ...args]) => ({ language: 'node', script, args, isProfiled: true })),
    goals: {},
    trials: 1,
    cpuOnly: true,
  },
];

export async function read(plan: Plan, setting: Setting): Promise<Reading> {
  const told: Told[] = [];
  for (let i = 0; i < (setting.trials ?? plan.trials); i++)
    for (const { language, script, args = [], isProfiled = false } of plan.programs) {
      if (isProfiled) told.push(await profiled(script, args, setting));
      else told.push(await (language === 'node' ? askNode(script, setting) : askPython(script, setting)));
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

const askNode = (script: string, { threads, device, size }: Setting) =>
  lastLine<Told>(
    process.execPath,
    [path.join(here, 'cases', `${script}.js`), String(threads), device, size],
    threads,
  );

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

/** oneDNN prints what each of its primitives took; what ran before the timed part is in the sum too. */
async function profiled(script: string, args: string[], { threads, device, size }: Setting): Promise<Told> {
  const file = path.join(here, 'cases', `${script}.js`);
  const lines = await printed(process.execPath, [file, String(threads), device, size, ...args], threads, {
    ONEDNN_VERBOSE: '1',
  });
  const { ms, versions, seed } = JSON.parse(lines.at(-1) ?? '') as Trial;
  const spent = lines
    .map((line) => line.split(','))
    .filter((fields) => fields[0] === 'onednn_verbose' && fields.includes('exec'))
    .filter((fields) => fields.includes('convolution'))
    .reduce((sum, fields) => sum + Number(fields.at(-1)), 0);
  return { series: [], figures: { [[script, ...args].join(' ')]: spent / ms }, versions, seed };
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
      ([figure, value]) => `  ${figure}: ${value.toPrecision(3)}${reached(figure, value)}`,
    ),
  ].join('\n');
}
