import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { findSample } from '../lib/data/find.js';
import { isEspalierError, Model, prune } from '../lib/index.js';
import { cases } from './cases/index.js';
import { contest, contests } from './contest.js';
import { race } from './race.js';
import { lines, type Reading, read, readings } from './readings.js';
import type { Setting } from './setting.js';
import { type Race, table } from './sides.js';

/** With what is not the same in every run whose results stand together. */
type Taken<Result> = Result & {
  size: Setting['size'];
  /** Above the number of cores, others were at work, and both sides waited for them. */
  loadAverage: { before: number; after: number };
};

/** What was measured, and the names of what failed. */
export type Measured = ReturnType<typeof resultOf>;

/**
 * Races, and readings of us alone; `keep` gets what there is after each, so that what ends them takes nothing away:
 * it is written as JSON. How many failed; one that fails ends no other.
 */
export async function bench(argv: string[], keep?: (result: Measured) => void): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      trials: { type: 'string' },
      threads: { type: 'string', default: String(Math.min(2, os.availableParallelism())) },
      device: { type: 'string', default: 'cpu' },
      full: { type: 'boolean', default: false },
      out: { type: 'string', default: 'bench.json' },
    },
  });
  const known = [...contests, ...cases, ...readings].map(({ name }) => name);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`expected ${known.join(', ')}, received ${unknown.join(', ')}`);
  const setting: Setting = {
    threads: count('--threads', values.threads),
    device: deviceOf(values.device),
    size: values.full ? 'full' : 'short',
    ...(values.trials === undefined ? {} : { trials: count('--trials', values.trials) }),
  };
  const reason = await missing(setting.device);
  if (reason !== undefined) {
    console.log(`skipped: ${reason}`);
    return 0;
  }
  const chosen = <Plan extends { name: string; cpuOnly?: boolean; fullOnly?: boolean }>(plans: Plan[]) =>
    plans
      .filter(({ name, fullOnly }) =>
        positionals.length === 0 ? values.full || !fullOnly : positionals.includes(name),
      )
      .filter(({ cpuOnly }) => setting.device === 'cpu' || !cpuOnly);
  // Before anything runs: what is missing would end all races.
  for (const sample of new Set(chosen(cases).flatMap(({ samples }) => samples ?? [])))
    await findSample(sample);
  const start = performance.now();
  const races: Taken<Race>[] = [];
  const found: Taken<Reading>[] = [];
  const failed: string[] = [];
  const progress = counter(chosen(contests).length + chosen(cases).length + chosen(readings).length);
  const measure = async (name: string, one: () => Promise<string>) => {
    progress(name);
    const begin = performance.now();
    try {
      console.log(`${await one()}\n  taken in ${secondsSince(begin)} s`);
    } catch (error) {
      failed.push(name);
      console.log(`FAILED ${name}: ${(error as Error).message}`);
    }
    const result = resultOf({ setting, start, races, readings: found, failed });
    if (keep) keep(result);
    else write(values.out, result);
  };
  const show = async <Result>(
    results: Taken<Result>[],
    take: () => Promise<Result>,
    words: (result: Result) => string,
  ) => {
    const load = { before: loadAverage(), after: 0 };
    const result = await take();
    load.after = loadAverage();
    results.push({ ...result, size: setting.size, loadAverage: load });
    return words(result);
  };
  for (const each of chosen(contests))
    await measure(each.name, () => show(races, () => contest(each, setting), table));
  for (const each of chosen(cases))
    await measure(each.name, () => show(races, () => race(each, setting), table));
  for (const each of chosen(readings))
    await measure(each.name, () => show(found, () => read(each, setting), lines));
  console.log(keep ? `${secondsSince(start)} s` : `Written: ${values.out} (${secondsSince(start)} s)`);
  return failed.length;
}

const loadAverage = () => os.loadavg()[0] ?? 0;
const secondsSince = (start: number) => Math.round((performance.now() - start) / 1000);

function resultOf(now: {
  setting: Setting;
  start: number;
  races: Taken<Race>[];
  readings: Taken<Reading>[];
  failed: string[];
}) {
  const { setting, start, races, readings, failed } = now;
  return {
    machine: machine(setting),
    date: new Date().toISOString(),
    seconds: secondsSince(start),
    races,
    readings,
    failed,
  };
}

// Where a person watches: what is being measured, on the line that the result then takes.
function counter(total: number): (name: string) => void {
  let at = 0;
  return (name) => {
    at += 1;
    if (process.stderr.isTTY) process.stderr.write(`\r${at} of ${total}: ${name} ...\x1b[K\r`);
  };
}

function count(option: string, given: string): number {
  const value = Number(given);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`expected a whole number of 1 or more for ${option}, received ${given}`);
  return value;
}

function deviceOf(given: string): Setting['device'] {
  if (given === 'cpu' || given === 'cuda') return given;
  throw new Error(`expected cpu or cuda for --device, received ${given}`);
}

/** Why nothing can be measured on a device; undefined where it can. */
async function missing(device: Setting['device']): Promise<string | undefined> {
  if (device === 'cpu') return undefined;
  try {
    const model = await Model.create('lenet5', { classes: 10, seed: 1 });
    await prune.magnitude(model, { sparsity: 0.5, device });
    return undefined;
  } catch (error) {
    if (isEspalierError(error) && error.code === 'ERR_DEVICE_UNAVAILABLE') return error.message;
    throw error;
  }
}

function machine({ threads, device }: Setting) {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    threads,
    device,
    memoryGigabytes: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
  };
}

function write(file: string, result: object): void {
  const out = path.resolve(file);
  fs.writeFileSync(`${out}.part`, `${JSON.stringify(result, null, 2)}\n`);
  fs.renameSync(`${out}.part`, out);
}
