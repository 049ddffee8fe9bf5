import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { doctor } from '../../lib/doctor.js';
import { machine, today } from '../origin.js';
import { type Phase, type Promised, phases } from './promises.js';

const child = fileURLToPath(new URL('./child.js', import.meta.url));
// What a phase may take beyond its time: loading, and what it has begun.
const kGraceSeconds = 60;

export interface PhaseResult {
  name: string;
  title: string;
  seed: number;
  seconds: number;
  figures: { asked: number; done: number };
  promises: Promised[];
}

/** One phase in a child process; it fails where a signal ends the child, or its code is not 0. */
export async function runPhase(
  { name, title, promises }: Phase,
  { count, seed, seconds }: { count: number; seed: number; seconds: number },
): Promise<PhaseResult> {
  const begin = performance.now();
  const args = [child, name, `${count}`, `${seed}`, `${seconds}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    timeout: Math.round((seconds + kGraceSeconds) * 1000),
    killSignal: 'SIGKILL',
  });
  const figures = JSON.parse(stdout) as PhaseResult['figures'];
  const took = Math.round((performance.now() - begin) / 100) / 10;
  return { name, title, seed, seconds: took, figures, promises: promises(figures as never) };
}

/** npm run soak -- --minutes N [--seed S] [--out FILE]; the number of promises that were broken. */
export async function soak(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      minutes: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string', default: 'docs/reliability/soak.json' },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  if (!(minutes > 0)) throw new Error(`expected minutes > 0 for --minutes, received ${values.minutes}`);
  if (!Number.isSafeInteger(seed))
    throw new Error(`expected a whole number for --seed, received ${values.seed}`);
  const begin = performance.now();
  const secondsLeft = () => minutes * 60 - (performance.now() - begin) / 1000;
  const results: PhaseResult[] = [];
  let rounds = 0;
  // A further round begins where there is time for one like those before.
  do {
    for (const phase of phases) {
      const seconds = Math.max(5, rounds === 0 ? minutes * 60 * phase.share : secondsLeft());
      const result = await runPhase(phase, { count: phase.count, seed: seed + rounds, seconds });
      tell(result);
      results.push(result);
    }
    rounds += 1;
  } while (secondsLeft() > (performance.now() - begin) / 1000 / rounds);
  const judged = results.flatMap(({ promises }) => promises);
  const broken = judged.filter(({ holds }) => holds === false).length;
  const untold = judged.filter(({ holds }) => holds === null).length;
  const facts = {
    name: 'soak',
    command: `npm run soak -- --minutes ${minutes} --seed ${seed}`,
    date: today(),
    machine: await machineWithLibtorch(),
    seed,
    rounds,
    seconds: Math.round((performance.now() - begin) / 1000),
    broken,
    untold,
    phases: results,
  };
  fs.mkdirSync(path.dirname(values.out), { recursive: true });
  fs.writeFileSync(values.out, `${JSON.stringify(facts, null, 2)}\n`);
  const left = untold === 0 ? '' : `, ${untold} of which too little was done to tell: give more minutes`;
  console.log(
    `${rounds} rounds in ${facts.seconds} s, ${broken} promises broken${left}; figures in ${values.out}`,
  );
  return broken;
}

function tell({ title, seed, seconds, figures: { asked, done }, promises }: PhaseResult): void {
  console.log(`${done} of ${asked} ${title} (seed ${seed}, ${seconds} s)`);
  for (const { text, measured, holds } of promises)
    console.log(`  ${holds === null ? 'UNTOLD' : holds ? 'holds ' : 'BROKEN'} ${text}\n         ${measured}`);
}

async function machineWithLibtorch() {
  const { libtorch } = await doctor();
  return machine({
    memoryGigabytes: Math.round(os.totalmem() / 1e9),
    libtorch: libtorch.found?.version ?? 'unknown',
  });
}
