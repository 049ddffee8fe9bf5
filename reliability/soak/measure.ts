import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a process holds of the system. */
export interface Footprint {
  residentMegabytes: number;
  descriptors: number;
  threads: number;
  /** What keeps Node's event loop alive. */
  resources: number;
}

export function footprint(): Footprint {
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  return {
    residentMegabytes: process.memoryUsage.rss() / 1e6,
    // One of them reads the folder.
    descriptors: fs.readdirSync('/proc/self/fd').length - 1,
    threads: Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1]),
    resources: process.getActiveResourcesInfo().length,
  };
}

/** How much to do, drawn from which seed, and when to stop whatever is left. */
export interface Work {
  count: number;
  seed: number;
  /** Of the clock of `performance.now()`. */
  deadline: number;
}

export interface Series {
  asked: number;
  done: number;
  /** Medians of resident memory over the quarters of what was done. */
  residentMegabytes: number[];
  peakMegabytes: number;
  /** At the end of the first quarter, and at the end. */
  early: Footprint;
  late: Footprint;
}

/** Does `body` again and again, and watches what the process holds meanwhile. */
export async function repeat({ count, deadline }: Work, body: (i: number) => Promise<void>): Promise<Series> {
  const resident: number[] = [];
  let early = footprint();
  let done = 0;
  while (done < count && performance.now() < deadline) {
    await body(done++);
    resident.push(process.memoryUsage.rss() / 1e6);
    if (done <= count / 4) early = footprint();
  }
  const quarters = [0, 1, 2, 3].map((quarter) =>
    median(resident.slice((quarter * done) / 4, ((quarter + 1) * done) / 4)),
  );
  return {
    asked: count,
    done,
    residentMegabytes: quarters.map(rounded),
    peakMegabytes: rounded(Math.max(0, ...resident)),
    early,
    late: await settled(early.resources),
  };
}

/**
 * What is held once what is on its way out has gone, as finalizers do that a garbage collection queued: a leak stays.
 */
export async function settled(resources: number): Promise<Footprint> {
  for (let i = 0; i < 20 && footprint().resources > resources; i++) await sleep(50);
  return footprint();
}

export const rounded = (value: number) => Math.round(value * 100) / 100;

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
