import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { commandOf, machine, today } from '../origin.js';
import { type CrashResult, crash, lineOf, type Subject, type Tally } from './crash.js';

// Several methods, each long enough to be killed anywhere.
const kSubjects: readonly Subject[] = [
  { recipe: 'train.supervised', length: 20, everySteps: 10 },
  { recipe: 'prune.learnedThreshold', length: 10, everySteps: 10 },
  { recipe: 'authorize.nonTransferablePruning', length: 15, everySteps: 5 },
  { recipe: 'authorize.maskPruning:sourceAvailable', length: 15, everySteps: 5 },
  { recipe: 'authorize.nonTransferableLearning:targetSpecified', length: 10, everySteps: 5 },
  { recipe: 'attack.fineTune', length: 30, everySteps: 10 },
  { recipe: 'attack.overwrite', length: 20, everySteps: 10 },
  { recipe: 'evaluate.authorization', length: 6, everySteps: 5 },
];

/** npm run crash -- [--count N] [--minutes N] [--seed S] [--out FILE]; how many promises were broken. */
export async function crashCommand(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      count: { type: 'string', default: '100' },
      minutes: { type: 'string', default: '30' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string', default: 'docs/reliability/crash.json' },
    },
  });
  const [count, seed] = [wholeNumber('count', values.count), wholeNumber('seed', values.seed)];
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`expected minutes above 0 for --minutes, received ${values.minutes}`);
  const log = (line: string) => console.log(line);
  const result = await crash({ subjects: kSubjects, count, seed, minutes, log });
  fs.mkdirSync(path.dirname(values.out), { recursive: true });
  fs.writeFileSync(
    values.out,
    `${JSON.stringify({ command: commandOf('crash', argv), ...record(result, count, seed) }, null, 2)}\n`,
  );
  console.log(`\n${result.tallies.map(lineOf).join('\n')}`);
  for (const { recipe, failures } of result.tallies)
    for (const failure of failures) console.log(`${recipe}: ${failure}`);
  const broken = brokenIn(result.tallies);
  const kills = sum(result.tallies.map((tally) => tally.kills));
  console.log(
    `${kills} of ${count} kills in ${Math.round(result.seconds)} s, ${broken} promises broken; ${values.out}`,
  );
  return broken;
}

/** What is kept of it. */
function record({ tallies, seconds, versions }: CrashResult, count: number, seed: number) {
  const total = (name: 'runs' | 'kills' | 'duringWrite' | 'fromScratch' | 'fromOlder' | 'mismatches') =>
    sum(tallies.map((tally) => tally[name]));
  return {
    date: today(),
    machine: machine({ versions }),
    seed,
    requested: count,
    seconds: Math.round(seconds),
    runs: total('runs'),
    kills: total('kills'),
    duringWrite: total('duringWrite'),
    fromScratch: total('fromScratch'),
    fromOlder: total('fromOlder'),
    mismatches: total('mismatches'),
    failures: sum(tallies.map(({ failures }) => failures.length)),
    methods: tallies,
  };
}

const brokenIn = (tallies: readonly Tally[]) =>
  sum(tallies.map(({ mismatches, failures }) => mismatches + failures.length));

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`expected a whole number for --${name}, received ${text}`);
}
