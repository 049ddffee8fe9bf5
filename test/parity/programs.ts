import path from 'node:path';
import * as assert from 'uvu/assert';
import { runCommand } from '../support/child.js';
import { findPython, root } from '../support/paths.js';

const kDeadlineMs = 240_000;

// Runs one of test/parity's scripts with the Python whose torch is ours.
export async function runPython(script: string, args: string[]): Promise<string> {
  const python = findPython();
  assert.ok(python, 'no Python');
  return run(python, [path.join(root, 'test/parity', script), ...args], process.env);
}

// Runs the C++ tests whose name contains `filter`; at least one must run.
export async function runNativeTests(filter: string, env: Record<string, string>): Promise<void> {
  const program = path.join(root, 'build/cmake/espalier_tests');
  const output = await run(program, [filter], { ...process.env, ...env });
  assert.match(output, /^[1-9]\d* passed, 0 failed$/m);
}

async function run(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<string> {
  const { code, signal, stdout, stderr, timedOut } = await runCommand(command, args, {
    env,
    deadlineMs: kDeadlineMs,
  });
  const end = timedOut ? 'did not end in time' : (signal ?? `exit code ${code}`);
  assert.ok(code === 0, `${path.basename(command)} ${args.join(' ')}: ${end}\n${stdout}${stderr}`);
  return stdout;
}
