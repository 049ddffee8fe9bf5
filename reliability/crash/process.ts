import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** How a child is to be killed: some time after it has begun, or when it writes for the nth time. */
export type Kill = { afterMs: number } | { atWrite: number };

export interface Outcome {
  killed: boolean;
  /** It left what it was writing half written. */
  duringWrite: boolean;
  writes: number;
  /** What it printed when it came to its end. */
  result?: Result;
  stderr: string;
}

export interface Result {
  end: { [name: string]: string };
  ms: number;
  versions: { [name: string]: string };
  warnings: string[];
}

const kChild = path.join(path.dirname(fileURLToPath(import.meta.url)), 'child.js');
const kDeadlineMs = 300_000;

/** Runs a recipe in a process of its own, which is killed on the way where `kill` says so. */
export function runOnce(folder: string, args: readonly string[], kill?: Kill): Promise<Outcome> {
  const child = spawn(process.execPath, [kChild, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const outcome: Outcome = { killed: false, duringWrite: false, writes: 0, stderr: '' };
  let stdout = '';
  const timers = [setTimeout(() => child.kill('SIGKILL'), kDeadlineMs)];
  const strike = () => {
    outcome.killed = child.kill('SIGKILL') || outcome.killed;
  };
  const own = `.${child.pid}-`;
  const seen = new Set<string>();
  const watcher = fs.watch(folder, (_, file) => {
    if (file === null || !file.includes(own) || seen.has(file)) return;
    seen.add(file);
    outcome.writes = seen.size;
    if (kill && 'atWrite' in kill && seen.size === kill.atWrite) strike();
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const begins = stdout === '' && text.startsWith('running');
    stdout += text;
    if (begins && kill && 'afterMs' in kill) timers.push(setTimeout(strike, kill.afterMs));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    outcome.stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      watcher.close();
      for (const timer of timers) clearTimeout(timer);
      outcome.killed &&= signal === 'SIGKILL';
      outcome.duringWrite = outcome.killed && fs.readdirSync(folder).some((file) => file.includes(own));
      if (code === 0) outcome.result = JSON.parse(stdout.split('\n')[1] ?? '') as Result;
      else if (!outcome.killed) outcome.stderr += `\nended with ${signal ?? `exit code ${code}`}`;
      resolve(outcome);
    });
  });
}
