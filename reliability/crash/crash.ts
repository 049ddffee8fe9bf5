import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Kill, type Outcome, type Result, runOnce } from './process.js';
import { randomFrom } from './random.js';

/** A recipe (test/support/recipes.ts), how long it is made, and how often it saves itself. */
export interface Subject {
  recipe: string;
  length: number;
  everySteps: number;
}

export interface CrashOptions {
  subjects: readonly Subject[];
  /** Kills in all. */
  count: number;
  seed: number;
  /** No new run is begun after that. */
  minutes: number;
  log?: (line: string) => void;
}

/** What became of the runs of one recipe. */
export interface Tally {
  recipe: string;
  uninterruptedMs: number;
  checkpoints: number;
  runs: number;
  kills: number;
  duringWrite: number;
  /** Kills before the first checkpoint: the run began anew. */
  fromScratch: number;
  /** Resumed from an older checkpoint, for the newest was not whole. */
  fromOlder: number;
  /** Runs that ended with other bytes than the uninterrupted one. */
  mismatches: number;
  failures: string[];
}

export interface CrashResult {
  tallies: Tally[];
  seconds: number;
  versions: { [name: string]: string };
}

const kMostKillsPerRun = 4;

/** Kills runs at random moments, resumes them, and compares their ends with those of runs that nobody stopped. */
export async function crash({ subjects, count, seed, minutes, log }: CrashOptions): Promise<CrashResult> {
  const random = randomFrom(seed);
  const start = performance.now();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-crash-'));
  try {
    const tried: Trial[] = [];
    for (const subject of subjects) tried.push(await Trial.of(subject, folder));
    let left = count;
    for (let i = 0; left > 0 && performance.now() - start < minutes * 60_000; i++) {
      const trial = tried[i % tried.length] as Trial;
      const kills = Math.min(left, 1 + Math.floor(random() * kMostKillsPerRun));
      left -= await trial.run(kills, random);
      log?.(`${count - left} of ${count} kills: ${lineOf(trial.tally)}`);
    }
    return {
      tallies: tried.map(({ tally }) => tally),
      seconds: (performance.now() - start) / 1000,
      versions: tried[0]?.whole.versions ?? {},
    };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

export const lineOf = ({ recipe, runs, kills, duringWrite, fromScratch, mismatches, failures }: Tally) =>
  `${recipe}: ${runs} runs, ${kills} kills (${duringWrite} during a write, ${fromScratch} before the first checkpoint), ` +
  `${mismatches} mismatches, ${failures.length} failures`;

class Trial {
  private constructor(
    readonly subject: Subject,
    readonly whole: Result,
    readonly tally: Tally,
    private readonly folder: string,
  ) {}

  static async of(subject: Subject, parent: string): Promise<Trial> {
    const folder = fs.mkdtempSync(path.join(parent, 'run-'));
    const { result, writes, stderr } = await runOnce(folder, argumentsOf(subject, folder));
    if (result === undefined) throw new Error(`${subject.recipe} does not end by itself: ${stderr}`);
    const tally: Tally = {
      recipe: subject.recipe,
      uninterruptedMs: Math.round(result.ms),
      // Each but the first takes two temporary names: its own, and one for what was there before.
      checkpoints: Math.ceil(writes / 2),
      runs: 0,
      kills: 0,
      duringWrite: 0,
      fromScratch: 0,
      fromOlder: 0,
      mismatches: 0,
      failures: [],
    };
    return new Trial(subject, result, tally, folder);
  }

  /** One run, killed up to so many times; how often it was. */
  async run(kills: number, random: () => number): Promise<number> {
    for (const file of fs.readdirSync(this.folder))
      if (file !== 'scratch') fs.rmSync(path.join(this.folder, file));
    this.tally.runs++;
    for (let done = 0; ; ) {
      const kill = done < kills ? this.draw(random) : undefined;
      const outcome = await runOnce(this.folder, argumentsOf(this.subject, this.folder), kill);
      if (outcome.killed) {
        this.count(outcome);
        done++;
        continue;
      }
      this.judge(outcome);
      return done;
    }
  }

  // Every second one is aimed at a write.
  private draw(random: () => number): Kill {
    const [aimed, where] = [random() < 0.5, random()];
    const writes = Math.max(1, (this.tally.checkpoints * 2) / 3);
    return aimed ? { atWrite: 1 + Math.floor(where * writes) } : { afterMs: where * this.whole.ms * 0.7 };
  }

  private count({ duringWrite }: Outcome): void {
    this.tally.kills++;
    if (duringWrite) this.tally.duringWrite++;
    if (!fs.existsSync(path.join(this.folder, 'run.checkpoint'))) this.tally.fromScratch++;
  }

  private judge({ result, stderr }: Outcome): void {
    const { tally, whole } = this;
    if (result === undefined) {
      tally.failures.push(stderr.trim());
      return;
    }
    if (result.warnings.some((warning) => warning.startsWith('resumed from'))) tally.fromOlder++;
    if (JSON.stringify(result.end) !== JSON.stringify(whole.end)) tally.mismatches++;
    const left = fs.readdirSync(this.folder).filter((file) => file.endsWith('.tmp'));
    if (left.length > 0) tally.failures.push(`temporary files are left: ${left.join(', ')}`);
  }
}

const argumentsOf = ({ recipe, length, everySteps }: Subject, folder: string) => [
  recipe,
  String(length),
  folder,
  String(everySteps),
];
