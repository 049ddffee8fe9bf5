import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { findSample } from '../lib/data/find.js';
import { type Case, cases } from './cases/index.js';
import { type Contest, contest, contests, table } from './contest.js';
import { interval, quantile } from './statistics.js';
import { type Side, type Trial, trial } from './trial.js';

interface Outcome {
  name: string;
  unit: 'ms';
  ours: Summary;
  pytorch: Summary;
  /** PyTorch's median over ours: above 1 we are faster. */
  ratio: number;
  ratioInterval: [number, number];
  agreement: { difference: number; tolerance: number };
  seed: number;
  /** SHA-256 of the samples, null where there are none. */
  data: string | null;
  versions: Record<Side, Trial['versions']>;
  date: string;
}

interface Summary {
  median: number;
  min: number;
  quartiles: [number, number];
  peakMegabytes: number;
  trials: number[];
}

/** Each case in both languages, a fresh process a trial, the sides interleaved A B B A. */
export async function bench(argv: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      trials: { type: 'string', default: '7' },
      threads: { type: 'string', default: String(Math.min(2, os.availableParallelism())) },
      out: { type: 'string', default: 'bench.json' },
    },
  });
  const known = [...cases.map(({ name }) => name), ...contests];
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`expected cases of ${known.join(', ')}, received ${unknown.join(', ')}`);
  }
  const isChosen = (name: string) => positionals.length === 0 || positionals.includes(name);
  const [trials, threads] = [Number(values.trials), Number(values.threads)];
  const before = os.loadavg()[0];
  const outcomes: Outcome[] = [];
  const chosen = cases.filter(({ name }) => isChosen(name));
  // Before anything runs: what is missing would end all races.
  for (const sample of new Set(chosen.flatMap(({ samples }) => samples ?? []))) await findSample(sample);
  for (const each of chosen) {
    const outcome = await race(each, trials, threads);
    outcomes.push(outcome);
    console.log(line(outcome));
  }
  const contested: Contest[] = [];
  for (const name of contests.filter(isChosen)) {
    const outcome = await contest(name, { trials, threads });
    contested.push(outcome);
    console.log(table(outcome));
  }
  const result = {
    machine: {
      cpu: os.cpus()[0]?.model ?? 'unknown',
      cores: os.availableParallelism(),
      threads,
      memoryGigabytes: Math.round(os.totalmem() / 2 ** 30),
      system: `${os.type()} ${os.release()}`,
      // Above the number of cores, others were at work, and both sides waited for them.
      loadAverage: { before, after: os.loadavg()[0] },
    },
    date: new Date().toISOString(),
    cases: outcomes,
    contests: contested,
  };
  const out = path.resolve(values.out);
  fs.writeFileSync(`${out}.part`, `${JSON.stringify(result, null, 2)}\n`);
  fs.renameSync(`${out}.part`, out);
  console.log(`Written: ${values.out}`);
}

async function race(each: Case, trials: number, threads: number): Promise<Outcome> {
  const results: Record<Side, Trial[]> = { ours: [], pytorch: [] };
  for (let i = 0; i < trials; i++) {
    const order: Side[] = i % 2 === 0 ? ['ours', 'pytorch'] : ['pytorch', 'ours'];
    for (const side of order) results[side].push(await trial(each.name, side, threads));
  }
  const difference = Math.max(
    ...results.ours.map(({ check }, i) => each.difference(check, results.pytorch[i]?.check ?? Number.NaN)),
  );
  // A race between two that compute different things has no figure.
  if (!(difference <= each.tolerance)) {
    throw new Error(`${each.name}: the sides differ by ${difference}, expected at most ${each.tolerance}`);
  }
  const first = sameThroughout(each.name, results);
  const ours = results.ours.map(({ ms }) => ms);
  const pytorch = results.pytorch.map(({ ms }) => ms);
  return {
    name: each.name,
    unit: 'ms',
    ours: summarise(results.ours),
    pytorch: summarise(results.pytorch),
    ratio: quantile(pytorch, 0.5) / quantile(ours, 0.5),
    ratioInterval: interval(pytorch, ours),
    agreement: { difference, tolerance: each.tolerance },
    seed: first.ours.seed,
    data: first.ours.data,
    versions: { ours: first.ours.versions, pytorch: first.pytorch.versions },
    date: new Date().toISOString(),
  };
}

// A trial a side, after seeing that all of them had the same samples and seed.
function sameThroughout(name: string, { ours, pytorch }: Record<Side, Trial[]>): Record<Side, Trial> {
  const first = { ours: ours[0] as Trial, pytorch: pytorch[0] as Trial };
  const { data, seed } = first.ours;
  const other = [...ours, ...pytorch].find((trial) => trial.data !== data || trial.seed !== seed);
  if (other === undefined) return first;
  const say = (trial: Pick<Trial, 'data' | 'seed'>) => `${trial.data} with seed ${trial.seed}`;
  throw new Error(`${name}: expected the samples ${say(first.ours)} in every trial, found ${say(other)}`);
}

function summarise(trials: Trial[]): Summary {
  const times = trials.map(({ ms }) => ms);
  return {
    median: quantile(times, 0.5),
    min: Math.min(...times),
    quartiles: [quantile(times, 0.25), quantile(times, 0.75)],
    peakMegabytes: Math.max(...trials.map(({ peakMegabytes }) => peakMegabytes)),
    trials: times,
  };
}

function line({ name, ours, pytorch, ratio, ratioInterval }: Outcome): string {
  const [low, high] = ratioInterval;
  const side = ({ median, quartiles: [from, to] }: Summary) =>
    `${median.toFixed(1)} ms (${from.toFixed(1)}-${to.toFixed(1)})`;
  return `${name.padEnd(24)} ours ${side(ours)}  PyTorch ${side(pytorch)}  ratio ${ratio.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
}
