import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { root, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';
import { firstProgress, longRun, tinyDomain } from '../support/tiny.js';

const script = path.join(root, 'dist/test/process/children/exit.js');
const folder = temporaryFolder();
// 'fail': a run of ours fails, and nobody awaits it.
const codes = { end: 0, exit: 3, throw: 1, reject: 1, fail: 1 };
const kDeadlineMs = 40_000;
const kAtOnce = 2;

interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
  /** From when it said that it is ready. */
  endedAfterMs: number;
  batchMs: number;
}

function end(args: string[]): Promise<Ending> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), kDeadlineMs);
    let output = '';
    let readyAt = Number.POSITIVE_INFINITY;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
        if (/ready/.test(output)) readyAt = Math.min(readyAt, performance.now());
      });
    }
    let endedAt = 0;
    child.once('exit', () => {
      endedAt = performance.now();
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const batchMs = Number(/ready ([\d.]+)/.exec(output)?.[1]);
      resolve({ code, signal, output, endedAfterMs: endedAt - readyAt, batchMs });
    });
  });
}

/** What was being written: a run goes on from it, with no older one to take in its place. */
async function isWhole(file: string, how: string): Promise<void> {
  const alone = path.join(temporaryFolder(), 'alone.checkpoint');
  fs.copyFileSync(file, alone);
  const epochs = how === 'end' ? { epochs: 1 } : {};
  const { run } = await longRun({ domain: await tinyDomain(), resume: alone, ...epochs });
  if (how === 'end') return void (await run);
  await firstProgress(run);
  run.cancel('enough');
  await run.catch((error) => assert.is(error, 'enough'));
}

const works = ['idle', 'running', 'checkpointing'].flatMap((work) => [`${work} kept`, `${work} disposed`]);

for (const [how, code] of Object.entries(codes)) {
  test(
    `a process that ends by ${how} does so with code ${code} and no signal, whatever runs, is written or was disposed`,
    async () => {
      const cases =
        how === 'fail' ? ['idle kept', 'running kept'] : [...works, 'queued kept', 'forward kept'];
      const [first = '', ...others] = cases;
      const idle = await endWith(first);
      const next = async () => {
        for (let name = others.shift(); name !== undefined; name = others.shift()) {
          const ending = await endWith(name);
          // Who ends by itself waits for what runs; anything else waits for one batch.
          const limit = how === 'end' ? kDeadlineMs : idle.endedAfterMs + ending.batchMs + 1000;
          assert.ok(ending.endedAfterMs < limit, `${name}: ${JSON.stringify(ending)}, ${limit} ms`);
        }
      };
      await Promise.all(Array.from({ length: kAtOnce }, next));
    },
    { timeoutMs: 150_000 },
  );

  async function endWith(name: string): Promise<Ending> {
    const file = path.join(folder, `${how}-${name.replace(' ', '-')}.checkpoint`);
    const ending = await end([how, ...name.split(' '), file]);
    const said = `${name}: ${JSON.stringify(ending)}`;
    assert.is(ending.signal, null, said);
    assert.match(ending.output, 'ready', said);
    assert.is(ending.code, code, said);
    assert.not.match(ending.output, /terminate called|Segmentation|Aborted/, said);
    if (name.startsWith('checkpointing')) await isWhole(file, how);
    const left = fs.readdirSync(folder).filter((each) => each.startsWith(path.basename(file)));
    const written = name.startsWith('checkpointing') ? ['', '.1'] : [];
    assert.equal(
      left.sort(),
      written.map((suffix) => `${path.basename(file)}${suffix}`),
      said,
    );
    return ending;
  }
}

test.run();
