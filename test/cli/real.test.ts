import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type ChildResult, runChild } from '../support/child.js';
import { root, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';

// The command line against true models and true data, as a user types it, each command in a process of its own.

const main = join(root, 'dist/lib/cli/main.js');
const folder = temporaryFolder();
const env = { ...process.env, ESPALIER_DATA: join(folder, 'samples'), XDG_CACHE_HOME: folder };
const at = (file: string) => join(folder, file);
const kSlow = { timeoutMs: 240_000 };

const espalier = (line: string): Promise<ChildResult> =>
  runChild(main, line.split(' '), { cwd: folder, env, deadlineMs: 110_000 });

async function done(line: string): Promise<ChildResult> {
  const result = await espalier(line);
  assert.is(result.code, 0, `${line}\n${result.stderr}`);
  return result;
}

type Line = { type: string; [key: string]: unknown };
const linesOf = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** Runs with --json, and sends the signal once so much of the run is done. */
function stopped(signal: NodeJS.Signals, line: string, share: number): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...line.split(' '), '--json'], { cwd: folder, env });
    const result = { stdout: '', stderr: '', timedOut: false };
    const timer = setTimeout(() => {
      result.timedOut = true;
      child.kill('SIGKILL');
    }, 110_000);
    let isSent = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      result.stdout += text;
      const complete = result.stdout.slice(0, result.stdout.lastIndexOf('\n'));
      if (!isSent && linesOf(complete).some(({ fraction }) => Number(fraction) >= share))
        isSent = child.kill(signal);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      result.stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code, ended) => {
      clearTimeout(timer);
      resolve({ code, signal: ended, ...result });
    });
  });
}

const kTrain =
  'train supervised --architecture convnet --widths 8,16 --input-size 28 --domain mnist ' +
  '--epochs 6 --batch-size 8 --seed 3 --threads 1 --augmentation.shift 1';
const kPrune =
  'prune magnitude dense.pt --sparsity 0.9 --domain mnist --gradual.steps 3 --gradual.epochs-per-step 1 ' +
  '--fine-tune.epochs 3 --fine-tune.batch-size 8 --seed 5 --threads 1';

test(
  'data makes sample domains where it is told to, and lists them',
  async () => {
    const { stdout } = await done('data mnist syn --out samples --limit 600');
    assert.is(stdout, 'samples/mnist\nsamples/syn\n');
    const list = (await done('data --list')).stdout;
    assert.match(list, /^mnist +600 +600 +.*samples\/mnist$/m);
    assert.match(list, /^optdigits .*npx espalier data optdigits$/m);
  },
  kSlow,
);

test(
  'train saves a model and a report, says little when piped, and leaves no checkpoint',
  async () => {
    const { stdout, stderr } = await done(`${kTrain} --out dense.pt --report dense.html`);
    assert.is(stderr, 'Saved dense.pt\nSaved dense.html\n');
    assert.match(stdout, 'Training of convnet');
    assert.match(readFileSync(at('dense.html'), 'utf8'), '<!doctype html>');
    assert.not.ok(readdirSync(folder).some((file) => file.includes('checkpoint')));
  },
  kSlow,
);

test(
  'inspect tells layers, cost and manifest of a saved model',
  async () => {
    const { stdout } = await done('inspect dense.pt --input-shape 1,3,28,28');
    assert.match(stdout, /^blocks\.0\.conv +conv2d +8×3×3×3/m);
    assert.match(stdout, /^train\.supervised +3 +mnist$/m);
    const info = JSON.parse((await done('inspect dense.pt --json')).stdout) as {
      layers: { path: string }[];
      parameters: { zeros: number }[];
    };
    assert.equal(
      info.layers.filter(({ path }) => !path.includes('bn')).map(({ path }) => path),
      ['blocks.0.conv', 'blocks.1.conv', 'fc'],
    );
  },
  kSlow,
);

test(
  'prune cuts to the exact count, and a bare evaluate measures both models on both domains',
  async () => {
    const lines = linesOf((await done(`${kPrune} --out sparse.pt --json`)).stdout);
    assert.equal([...new Set(lines.map(({ type }) => type))], ['progress', 'result']);
    const { parameters } = JSON.parse((await done('inspect sparse.pt --json')).stdout) as {
      parameters: { path: string; count: number; zeros: number }[];
    };
    const weights = parameters.filter(({ path }) => /(conv|fc)\.weight$/.test(path));
    const sum = (key: 'count' | 'zeros') => weights.reduce((total, weight) => total + weight[key], 0);
    assert.is(sum('zeros'), Math.round(sum('count') * 0.9));

    const { stdout } = await done('evaluate dense.pt sparse.pt --domains mnist,syn --json');
    const { report } = linesOf(stdout).at(-1) as unknown as {
      report: { method: string; figures: { cells: { accuracy: number; samples: number }[][] } };
    };
    assert.is(report.method, 'evaluate.domains');
    assert.equal(
      report.figures.cells.map((row) => row.map(({ samples }) => samples)),
      [
        [600, 600],
        [600, 600],
      ],
    );
    // A fresh network is right once in ten.
    assert.ok((report.figures.cells[0]?.[0]?.accuracy ?? 0) > 0.3, stdout);
  },
  kSlow,
);

test(
  'the drop on the source stands beside that on the target',
  async () => {
    const kDrop = 'evaluate source-target-drop dense.pt sparse.pt --source mnist --target syn --seed 1';
    const { stdout } = await done(`${kDrop} --resamples 300 --json`);
    const { report } = linesOf(stdout).at(-1) as unknown as {
      report: {
        method: string;
        options: { resamples: number };
        figures: { source: { domain: string; drop: object }; targets: { domain: string; drop: object }[] };
      };
    };
    assert.is(report.method, 'evaluate.sourceTargetDrop');
    assert.is(report.options.resamples, 300);
    const { source, targets } = report.figures;
    assert.equal([source.domain, ...targets.map(({ domain }) => domain)], ['mnist', 'syn']);
    assert.match((await done(kDrop)).stdout, /^Drop on mnist and on syn$/m);
    const refused = await espalier(
      'evaluate sourceTargetDrop dense.pt sparse.pt --source mnist --target mnist',
    );
    assert.is(refused.code, 1);
    assert.match(refused.stderr, 'same report data again as mnist');
  },
  kSlow,
);

for (const [signal, code, line, whole] of [
  ['SIGINT', 130, kTrain, 'dense.pt'],
  ['SIGTERM', 143, kPrune, 'sparse.pt'],
] as const) {
  test(
    `${signal} ends with ${code} and a checkpoint, from which the rest is made byte for byte`,
    async () => {
      const out = `${signal}.pt`;
      const stop = await stopped(signal, `${line} --out ${out}`, 0.1);
      assert.equal([stop.code, stop.timedOut], [code, false], stop.stderr);
      const last = linesOf(stop.stdout).at(-1);
      assert.equal(last, { type: 'interrupted', signal, checkpoint: `${out}.checkpoint` });
      assert.ok(existsSync(at(`${out}.checkpoint`)));
      assert.not.ok(existsSync(at(out)));

      // Without --resume, the work that is left is not written over.
      const refused = await espalier(`${line} --out ${out}`);
      assert.is(refused.code, 2);
      assert.match(refused.stderr, `add --resume ${out}.checkpoint to go on from it`);

      const { stdout } = await done(`${line} --out ${out} --resume ${out}.checkpoint --json`);
      // It went on, and did not begin again.
      const [first] = linesOf(stdout);
      assert.ok(Number(first?.fraction) >= 0.05, `the first progress is ${JSON.stringify(first)}`);
      assert.ok(readFileSync(at(out)).equals(readFileSync(at(whole))), `${out} is not ${whole}`);
      assert.not.ok(readdirSync(folder).some((file) => file.includes('checkpoint')));
    },
    kSlow,
  );
}

test(
  'a sample in colour is refused by name for a model of grey images',
  async () => {
    await done(`${kTrain.replace('--epochs 6', '--in-channels 1 --epochs 1')} --out grey.pt`);
    const { code, stderr } = await espalier('evaluate grey.pt --domains mnist,syn');
    assert.is(code, 2);
    assert.match(stderr, /expected 3 channels for the sample domain 'syn', .* received 1/);
  },
  kSlow,
);

test(
  'wrong usage is 2, a failure is 1, each one sentence on the error stream',
  async () => {
    writeFileSync(at('broken.pt'), 'no model');
    const broken = await espalier('evaluate broken.pt --domains mnist');
    assert.equal([broken.code, broken.stdout], [1, '']);
    assert.match(broken.stderr, /^ERR_MODEL_LOAD: .*broken\.pt.*\n$/);
    const missing = await espalier('inspect missing.pt');
    assert.is(missing.code, 1);
    assert.match(missing.stderr, /^ERR_IO: .*missing\.pt.*\n$/);
    const beyond = await espalier('prune magnitude dense.pt --sparsity 1.5 --out no.pt');
    assert.equal([beyond.code, beyond.stdout], [2, '']);
    const absent = await espalier('evaluate dense.pt --domains optdigits');
    assert.is(absent.code, 1);
    assert.match(absent.stderr, 'npx espalier data optdigits');
  },
  kSlow,
);

test.run();
