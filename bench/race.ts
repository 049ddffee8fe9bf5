import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Case, OURS } from './cases/index.js';
import type { Setting } from './setting.js';
import { figuresOf, type Race, type SideFigures } from './sides.js';
import { type Program, type Trial, trial } from './trial.js';

// Long enough that its own spread is small against it: fewer of them do.
const kLongMs = 10_000;
const kTrials = { short: 7, long: 3 };

/** Each trial a fresh process, the sides interleaved A B B A; a race whose sides differ in the result has no figure. */
export async function race(each: Case, setting: Setting): Promise<Race> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
  try {
    return await raceIn(folder, each, setting);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

async function raceIn(folder: string, each: Case, setting: Setting): Promise<Race> {
  const prepared = (await each.prepare?.(folder)) ?? [];
  const results = new Map<string, Trial[]>(Object.keys(each.sides).map((side) => [side, []]));
  const leftOut: Race['leftOut'] = {};
  const names = () => [...results.keys()];
  const runAll = async (order: string[]) => {
    for (const side of order) {
      const { args, ...program } = each.sides[side] as Program;
      const told = await trial({ ...program, args: [...args, ...prepared] }, setting);
      if ('leftOut' in told) {
        leftOut[side] = told.leftOut;
        results.delete(side);
      } else results.get(side)?.push(told);
    }
  };
  await runAll(names());
  const slowest = Math.max(...[...results.values()].map(([first]) => first?.ms ?? 0));
  const trials = setting.trials ?? (slowest < kLongMs ? kTrials.short : kTrials.long);
  for (let i = 1; i < trials; i++) await runAll(i % 2 === 1 ? names().reverse() : names());
  return summarise(each, results, leftOut, setting);
}

function summarise(
  each: Case,
  results: Map<string, Trial[]>,
  leftOut: Race['leftOut'],
  setting: Setting,
): Race {
  const all = [...results.values()].flat();
  const ours = results.get(OURS) ?? [];
  const [first] = ours;
  if (first === undefined) throw new Error(`${each.name}: expected a trial of our side, found none`);
  const compared = [...results]
    .filter(([side]) => !each.controls?.includes(side))
    .flatMap(([, told]) => told);
  const difference = Math.max(0, ...compared.map(({ check }) => each.difference(first.check, check)));
  if (!(difference <= each.tolerance)) {
    throw new Error(`${each.name}: the sides differ by ${difference}, expected at most ${each.tolerance}`);
  }
  const other = all.find(({ data, seed }) => data !== first.data || seed !== first.seed);
  if (other !== undefined) {
    const say = ({ data, seed }: Trial) => `${data} with seed ${seed}`;
    throw new Error(`${each.name}: expected the samples ${say(first)} in every trial, found ${say(other)}`);
  }
  const times = (told: Trial[]) => told.map(({ ms }) => ms);
  const sides: Record<string, SideFigures> = {};
  for (const [side, told] of results) {
    const compiled = told.flatMap(({ compileSeconds }) => compileSeconds ?? []);
    sides[side] = {
      ...figuresOf(times(told), times(ours)),
      peakMegabytes: Math.max(...told.map(({ peakMegabytes }) => peakMegabytes)),
      ...(compiled.length > 0 ? { compileSeconds: Math.max(...compiled) } : {}),
    };
  }
  return {
    name: each.name,
    title: each.title,
    kind: 'node',
    unit: 'ms',
    date: new Date().toISOString(),
    device: setting.device,
    seed: first.seed,
    data: first.data,
    versions: Object.fromEntries([...results].map(([side, [one]]) => [side, one?.versions ?? {}])),
    agreement: { difference, tolerance: each.tolerance },
    goals: each.goals,
    sides,
    leftOut,
  };
}
