import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Problem } from './problem.mjs';

// The full path of a command, or undefined. A name that holds a slash is taken as a path.
export function which(command, env = process.env) {
  const places = command.includes('/') ? [''] : (env.PATH ?? '').split(path.delimiter).filter(Boolean);
  return places.map((place) => path.join(place, command)).find(isExecutable);
}

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

// Runs a command without a shell and without stdin. `onLine` sees each line of its output as it comes;
// after `deadlineMs` the process group is killed.
export function run(command, args, { cwd, env = process.env, onLine, deadlineMs } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const lines = { stdout: '', stderr: '' };
    let stdout = '';
    let output = '';
    let timedOut = false;
    const kill = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    };
    const expire = () => {
      timedOut = true;
      kill();
    };
    const timer = deadlineMs && setTimeout(expire, deadlineMs);
    // A detached child is out of reach of Ctrl-C at the terminal: hand it on.
    const forward = (signal) => {
      kill();
      process.exit(signal === 'SIGINT' ? 130 : 143);
    };
    process.once('SIGINT', forward).once('SIGTERM', forward);
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (chunk) => {
        output += chunk;
        if (name === 'stdout') stdout += chunk;
        if (!onLine) return;
        const parts = (lines[name] + chunk).split(/\r?\n/);
        lines[name] = parts.pop();
        parts.forEach(onLine);
      });
    }
    const finish = (code, signal, error) => {
      clearTimeout(timer);
      process.off('SIGINT', forward).off('SIGTERM', forward);
      if (onLine) Object.values(lines).filter(Boolean).forEach(onLine);
      resolve({ code, signal, error, stdout, output, timedOut });
    };
    child.once('error', (error) => finish(null, null, error));
    child.once('close', (code, signal) => finish(code, signal));
  });
}

// Runs a command that must succeed; `what` begins the sentence of the Problem.
export async function must(what, command, args, options = {}) {
  const result = await run(command, args, options);
  if (result.code === 0) return result;
  const end =
    result.error?.message ?? (result.signal ? `signal ${result.signal}` : `exit code ${result.code}`);
  const tail = options.onLine ? '' : `\n${result.output.trimEnd().split('\n').slice(-30).join('\n')}`;
  throw new Problem(`${what} failed (${end}): ${[command, ...args].join(' ')}${tail}`);
}
