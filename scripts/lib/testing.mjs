import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from './process.mjs';
import { seconds } from './steps.mjs';

// Test programs: each is one child process with a deadline; its result is
// { title, passed, failed, skipped, output, ms }.

// Two at a time on all cores: threads that spin at a barrier take the time of the other program's.
const shared = { ...process.env, GOMP_SPINCOUNT: process.env.GOMP_SPINCOUNT ?? '1000' };

const kFileMs = 300_000;
const kNativeMs = 900_000;

export async function runNative(program, filter, env = shared, deadlineMs = kNativeMs) {
  const start = performance.now();
  const { code, signal, output, timedOut } = await run(program, filter ? [filter] : [], {
    deadlineMs,
    env,
  });
  // The last: tests that run the program again print their own.
  const sum = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  const [, passed = 0, failed = 0] = (sum ?? []).map(Number);
  const cases = output.split('\n');
  const result = {
    title: 'C++ tests',
    passed,
    failed,
    skipped: [],
    output: '',
    ms: performance.now() - start,
  };
  if (!sum) {
    result.passed = cases.filter((line) => line.startsWith('ok ')).length;
    result.failed = 1 + cases.filter((line) => line.startsWith('FAILED ')).length;
    const end = timedOut
      ? `did not end within ${seconds(deadlineMs)}`
      : `ended with ${signal ?? `exit code ${code}`}`;
    result.output = `${end}, after:\n${output.slice(-8000)}`;
  } else if (failed > 0) {
    result.output = cases
      .filter((line, i) => line.startsWith('FAILED ') || cases[i - 1]?.startsWith('FAILED '))
      .join('\n');
  } else if (code !== 0 && passed > 0) {
    // All passed, then the process did not end well: that is a failure too.
    result.failed = 1;
    result.output = `all passed, but the program ended with ${signal ?? `exit code ${code}`}:\n${output.slice(-8000)}`;
  }
  return result;
}

export async function runFile(file, title, deadlineMs = kFileMs, env = shared) {
  const start = performance.now();
  const stage = path.join(os.tmpdir(), `espalier-stage-${process.pid}-${title.replaceAll('/', '-')}`);
  const { code, signal, output, timedOut } = await run(process.execPath, ['--enable-source-maps', file], {
    deadlineMs,
    env: { ...env, NO_COLOR: '1', FORCE_COLOR: '0', ESPALIER_TEST_STAGE: stage },
  });
  const count = (name) => Number(new RegExp(`^ {2}${name}: +(\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  const skipped = output.split('\n').filter((line) => line.startsWith('skipped: '));
  const passed = count('Passed');
  let failed = count('Total') - passed;
  let problem = failed > 0 ? output : '';
  if (timedOut || signal || (code !== 0 && failed === 0)) {
    failed += 1;
    const during = fs.existsSync(stage) ? ` during '${fs.readFileSync(stage, 'utf8')}'` : '';
    const end = timedOut
      ? `was ended after ${seconds(deadlineMs)}`
      : `ended with ${signal ?? `exit code ${code}`}`;
    problem = `${end}${during}:\n${output}`;
  } else if (passed + failed === 0 && skipped.length === 0) {
    failed = 1;
    problem = `ran no test (does it end with test.run()?):\n${output}`;
  }
  fs.rmSync(stage, { force: true });
  return { title, passed, failed, skipped, output: problem, ms: performance.now() - start };
}

// Runs jobs two at a time, then those that want the machine for themselves one by one.
export async function runAll(together, alone, onResult) {
  const queue = [...together];
  const worker = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) onResult(await job());
  };
  await Promise.all([worker(), worker()]);
  for (const job of alone) onResult(await job());
}

export function report({ title, passed, failed, skipped, output, ms }) {
  if (passed + failed + skipped.length === 0) return;
  console.log(
    `${failed > 0 ? 'FAILED' : 'ok'} ${title} (${passed} passed, ${failed} failed, ${seconds(ms)})`,
  );
  for (const line of skipped) console.log(`  ${line}`);
  if (output) console.log(output.trimEnd().replace(/^/gm, '    '));
}

// The exit code.
export function summarize(results) {
  const sum = (field) => results.reduce((total, result) => total + result[field], 0);
  const failures = results.filter(({ failed }) => failed > 0);
  if (failures.length > 0) console.log(`\nFailed: ${failures.map(({ title }) => title).join(', ')}`);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  // Nothing that ran must not look like success.
  return sum('failed') > 0 || sum('passed') === 0 ? 1 : 0;
}
