import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type ChildResult, runChild } from '../support/child.js';
import { root, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';

// Protecting a model on the command line, as a user types it: stopped, and gone on with as he is told.

const main = join(root, 'dist/lib/cli/main.js');
const folder = temporaryFolder();
const env = { ...process.env, ESPALIER_DATA: join(folder, 'samples'), XDG_CACHE_HOME: folder };
const at = (file: string) => join(folder, file);
const kDeadlineMs = 110_000;

async function done(line: string): Promise<ChildResult> {
  const result = await runChild(main, line.split(' '), { cwd: folder, env, deadlineMs: kDeadlineMs });
  assert.is(result.code, 0, `${line}\n${result.stderr}`);
  return result;
}

/** Sends Ctrl-C once the file is there. */
function interrupted(line: string, file: string): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...line.split(' ')], { cwd: folder, env });
    const result = { stdout: '', stderr: '', timedOut: false };
    const timer = setTimeout(() => {
      result.timedOut = true;
      child.kill('SIGKILL');
    }, kDeadlineMs);
    const poll = setInterval(() => {
      if (!existsSync(at(file))) return;
      clearInterval(poll);
      child.kill('SIGINT');
    }, 5);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      result.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      result.stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      clearInterval(poll);
      resolve({ code, signal, ...result });
    });
  });
}

const kProtect =
  'authorize non-transferable-pruning model.pt --source mnist --target mnist-m --sparsity 0.8 --iterations 6 ' +
  '--steps-per-iteration 20 --polish-steps 40 --batch-size 16 --source-floor 1 --seed 3 --threads 1 ' +
  '--checkpoint.every-steps 5';

test(
  'protection that Ctrl-C stops goes on with the printed command, and ends with the same file',
  async () => {
    await done('data mnist mnist-m --out samples --limit 300');
    await done(
      'train supervised --architecture convnet --widths 8,8 --input-size 28 --domain mnist --epochs 2 ' +
        '--batch-size 16 --seed 3 --threads 1 --out model.pt',
    );
    await done(`${kProtect} --out whole.pt`);
    const stop = await interrupted(`${kProtect} --out locked.pt`, 'locked.pt.checkpoint');
    assert.equal([stop.code, stop.signal, stop.timedOut], [130, null, false], stop.stderr);
    assert.not.ok(existsSync(at('locked.pt')), 'it ended before it could be stopped');

    const [, command] = /^Stopped\. Go on with:\n {2}espalier (.*)$/m.exec(stop.stderr) ?? [];
    assert.ok(command !== undefined, stop.stderr);
    const { stdout } = await done(`${command} --json`);
    const [first] = stdout.split('\n').map((line) => JSON.parse(line || '{}') as { fraction?: number });
    assert.ok((first?.fraction ?? 0) > 0, 'it began again');
    assert.ok(readFileSync(at('locked.pt')).equals(readFileSync(at('whole.pt'))));
    const told = readFileSync(at('locked.pt'), 'latin1');
    assert.not.ok(told.includes('mnist'), 'the file names a domain');
    assert.not.ok(readdirSync(folder).some((file) => file.includes('checkpoint')));
  },
  { timeoutMs: 240_000 },
);

test(
  'a mask locks a model and its key opens it, as the page of authorize.applyMask types it',
  async () => {
    await done(
      'train supervised --architecture convnet --widths 4,4 --input-size 28 --domain mnist --epochs 1 --out dense.pt',
    );
    await done('prune magnitude dense.pt --sparsity 0.5 --out pruned.pt --out-mask half.mask');
    const { stdout } = await done('authorize apply-mask dense.pt half.mask --out shut.pt --out-key shut.key');
    assert.match(stdout, /cut/i);
    await done('authorize remove-mask shut.pt shut.key --out open.pt');
    const digest = async (file: string) =>
      (JSON.parse((await done(`inspect ${file} --json`)).stdout) as { digest: string }).digest;
    assert.is(await digest('open.pt'), await digest('dense.pt'));
    assert.is.not(await digest('shut.pt'), await digest('dense.pt'));
    const wrong = await runChild(main, 'authorize remove-mask dense.pt shut.key --out no.pt'.split(' '), {
      cwd: folder,
      env,
      deadlineMs: kDeadlineMs,
    });
    assert.is(wrong.code, 2);
    assert.match(wrong.stderr, /the model that the key was made with/);
    assert.not.ok(existsSync(at('no.pt')));
  },
  { timeoutMs: 240_000 },
);

test(
  'a key is made once, binds a model and is asked for, as the page of authorize.nonTransferableLearning types it',
  async () => {
    const { stdout: digest, stderr } = await done('key owner.key');
    assert.match(digest, /^[0-9a-f]{64}\n$/);
    assert.match(stderr, /Keep it/);
    const secret = readFileSync(at('owner.key'));
    const again = await runChild(main, ['key', 'owner.key'], { cwd: folder, env, deadlineMs: kDeadlineMs });
    assert.is(again.code, 2);
    assert.match(again.stderr, /exists already/);
    assert.ok(readFileSync(at('owner.key')).equals(secret));

    await done(
      'train supervised --architecture lenet5 --input-size 28 --in-channels 1 --domain mnist --epochs 1 --out plain.pt',
    );
    const { stdout: learned } = await done(
      'authorize non-transferable-learning plain.pt --variant ownership --source mnist --key owner.key --steps 8 ' +
        '--readings 2 --batch-size 16 --source-floor 1 --no-control --out marked.pt --report marked.json',
    );
    assert.match(learned, /mnist \+ patch/);
    const report = readFileSync(at('marked.json'), 'utf8');
    const hidden = secret.subarray(-32);
    for (const text of [hidden.toString('hex'), hidden.toString('base64')])
      assert.not.ok(report.includes(text), 'the report has the secret');
    assert.not.ok(readFileSync(at('marked.pt')).includes(hidden), 'the model has the secret');
    const { stdout: asked } = await done(
      'authorize verify-ownership marked.pt owner.key --domain mnist --samples 40 --wrong-keys 2 --honest plain.pt',
    );
    assert.match(asked, /Ownership: not proven/);
    assert.match(asked, /honest model, key 1/);
    const bare = await runChild(
      main,
      'authorize non-transferable-learning plain.pt --variant ownership --source mnist --out no.pt'.split(
        ' ',
      ),
      { cwd: folder, env, deadlineMs: kDeadlineMs },
    );
    assert.is(bare.code, 2);
    assert.match(bare.stderr, /key/);
  },
  { timeoutMs: 240_000 },
);

test(
  'a learned mask comes with the model, and locks the dense one, as the page of authorize.maskPruning types it',
  async () => {
    const { stdout } = await done(
      'authorize mask-pruning dense.pt --variant sourceAvailable --source mnist --target mnist-m --steps 20 ' +
        '--readings 2 --batch-size 16 --source-floor 1 --learning-rate 0.01 --no-controls --out masked.pt --out-mask learned.mask',
    );
    assert.match(stdout, /Mask pruning against mnist-m/);
    await done('authorize apply-mask dense.pt learned.mask --out relocked.pt --out-key relocked.key');
    const digest = async (file: string) =>
      (JSON.parse((await done(`inspect ${file} --json`)).stdout) as { digest: string }).digest;
    assert.is(await digest('relocked.pt'), await digest('masked.pt'));
  },
  { timeoutMs: 240_000 },
);

test.run();
