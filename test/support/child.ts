import { type SpawnOptions, spawn } from 'node:child_process';
import fs from 'node:fs';

export interface ChildOptions {
  cwd?: string;
  deadlineMs?: number;
  env?: NodeJS.ProcessEnv;
  // Options of Node itself, such as --expose-gc.
  execArgv?: string[];
}

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

const kDeadlineMs = 60_000;

// Runs a script in a Node process of its own. Asserts nothing: what the child did is for the test to judge.
export function runChild(
  script: string,
  args: string[] = [],
  options: ChildOptions = {},
): Promise<ChildResult> {
  return runCommand(process.execPath, [...(options.execArgv ?? []), script, ...args], options);
}

export function runCommand(
  command: string,
  args: string[],
  options: ChildOptions = {},
): Promise<ChildResult> {
  const spawnOptions: SpawnOptions = { stdio: ['ignore', 'pipe', 'pipe'], env: options.env ?? process.env };
  if (options.cwd !== undefined) spawnOptions.cwd = options.cwd;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, spawnOptions);
    const result = { stdout: '', stderr: '', timedOut: false };
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      result.stdout += chunk;
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      result.stderr += chunk;
    });
    const timer = setTimeout(() => {
      result.timedOut = true;
      child.kill('SIGKILL');
    }, options.deadlineMs ?? kDeadlineMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...result });
    });
  });
}

/** The processes that a process has started and that have not been seen to end. */
export function childrenOf(pid: number): number[] {
  const listed = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return listed === '' ? [] : listed.split(' ').map(Number);
}
