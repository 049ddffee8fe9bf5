import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { type ChildResult, runChild } from '../support/child.js';
import * as paths from '../support/paths.js';
import { test } from '../support/test.js';

const scratch = paths.temporaryFolder();
const temporaryFolder = () => mkdtempSync(join(scratch, 'cli-'));
const script = fileURLToPath(new URL('pretendCli.js', import.meta.url));

interface Line {
  type: string;
  [key: string]: unknown;
}

function espalier(line: string, env: NodeJS.ProcessEnv = {}, cwd = temporaryFolder()): Promise<ChildResult> {
  return runChild(script, line.split(' '), { cwd, env: { ...process.env, ...env } });
}

const linesOf = ({ stdout }: ChildResult) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** What the method was started with. */
async function given(line: string, cwd?: string) {
  const result = await espalier(`${line} --json`, {}, cwd);
  assert.is(result.code, 0, result.stderr);
  const last = linesOf(result).at(-1) as unknown as {
    report: { figures: { inputs: { [name: string]: unknown }; options: { [name: string]: unknown } } };
  };
  return last.report.figures;
}

async function refused(line: string, ...parts: (string | RegExp)[]): Promise<void> {
  const { code, stderr, stdout } = await espalier(line);
  for (const part of parts) assert.match(stderr, part);
  assert.is(code, 2, stderr);
  assert.is(stdout, '');
  assert.not.match(stderr, /^ +at /m);
}

test('words become options of the right type, in the right place', async () => {
  const { inputs, options } = await given(
    'prune magnitude in.pt --out o.pt --sparsity 0.9 --scope layer --domain mnist --include a.*,b ' +
      '--fine-tune.epochs 2 --fine-tune.optimizer.kind adamw --fine-tune.keep-zeros auto --gradual ' +
      '--seed 7 --threads 2',
  );
  const { checkpoint, domain, ...rest } = options;
  assert.equal(inputs, { model: { noun: 'Model', path: 'in.pt', device: 'cpu', trust: false } });
  assert.equal(rest, {
    sparsity: 0.9,
    scope: 'layer',
    include: ['a.*', 'b'],
    gradual: {},
    fineTune: { epochs: 2, optimizer: { kind: 'adamw' }, keepZeros: 'auto' },
    seed: 7,
    threads: 2,
  });
  assert.equal(checkpoint, { path: 'o.pt.checkpoint' });
  assert.equal(domain, { sample: 'mnist', classes: 10, images: { channels: 1, size: 28 } });
});

test('an object may be JSON, which later flags refine', async () => {
  const { options } = await given(
    'prune magnitude in.pt --out o.pt --structure {"n":2,"m":4} --fine-tune {"epochs":1,"batchSize":64} --fine-tune.epochs 3',
  );
  assert.equal(options.structure, { n: 2, m: 4 });
  assert.equal(options.fineTune, { epochs: 3, batchSize: 64 });
});

test('a switch is on, off or spelled out', async () => {
  const optimise = async (flag: string) =>
    (await given(`evaluate accuracy in.pt --domain mnist ${flag}`)).options.optimise;
  assert.is(await optimise('--optimise'), true);
  assert.is(await optimise('--optimise false'), false);
  assert.is(await optimise('--no-optimise'), false);
});

test('a bare evaluate measures models on domains, under the names of their files', async () => {
  const { inputs, options } = await given('evaluate a.pt x/b.pt --domains mnist,optdigits');
  assert.equal(
    (inputs.models as { path: string }[]).map(({ path }) => path),
    ['a.pt', 'x/b.pt'],
  );
  assert.equal(
    (inputs.domains as { sample: string }[]).map(({ sample }) => sample),
    ['mnist', 'optdigits'],
  );
  assert.equal(options.labels, ['a', 'b']);
  assert.is(options.checkpoint, undefined);
});

test('files of one name keep their folders in the report', async () => {
  const { options } = await given('evaluate domains x/m.pt y/m.pt --domains mnist');
  assert.equal(options.labels, ['x/m.pt', 'y/m.pt']);
});

test('a fresh model is trained in the place of a file, with the classes of the domain', async () => {
  const { inputs, options } = await given(
    'train supervised --architecture convnet --in-channels 1 --input-size 28 --domain mnist --out o.pt --seed 3',
  );
  assert.equal(inputs.model, {
    created: { architecture: 'convnet', classes: 10, inChannels: 1, inputSize: 28, seed: 3 },
  });
  assert.equal((options.domain as { images: object }).images, { channels: 1, size: 28 });
});

test('a domain may be a JSON file; its paths are relative to it', async () => {
  const folder = temporaryFolder();
  const description = { name: 'mine', fit: 'fit', report: { images: 'r.npy', labels: '/abs/l.npy' } };
  writeFileSync(join(folder, 'mine.json'), JSON.stringify(description));
  const { options } = await given(`evaluate accuracy a.pt --domain ${join(folder, 'mine.json')}`);
  assert.equal(options.domain, {
    description: {
      name: 'mine',
      fit: join(folder, 'fit'),
      report: { images: join(folder, 'r.npy'), labels: '/abs/l.npy' },
    },
  });
});

test('--trust and --device reach the loading of models', async () => {
  const { inputs } = await given('evaluate accuracy a.pt --domain mnist --trust --device cuda:1');
  assert.equal(inputs.model, { noun: 'Model', path: 'a.pt', device: 'cuda:1', trust: true });
});

const kMany = { timeoutMs: 120_000 };

test(
  'wrong usage is exit code 2 and one sentence',
  async () => {
    await refused(
      'prune magnitude in.pt --out o.pt --sparsity 1.5',
      /expected a number >= 0 and <= 1 for --sparsity, received '1\.5'/,
    );
    await refused('prune magnitude in.pt --out o.pt --sparsity 90%', "for --sparsity, received '90%'");
    await refused('prune magnitude in.pt --out o.pt --scope layr', "received 'layr' (did you mean 'layer'?)");
    await refused('prune magnitude in.pt --out o.pt --fine-tune.epochs 1.5', 'expected a whole number >= 1');
    await refused('prune magnitude in.pt --out o.pt --fine-tune {epochs', 'as JSON for --fine-tune');
    await refused(
      'prune magnitude in.pt --sparsity 0.5',
      'for --out (where the model is saved), received nothing',
    );
    await refused('prune magnitude --out o.pt', "missing required argument 'model'");
    await refused('evaluate accuracy a.pt', 'expected a Domain for --domain, received nothing');
    await refused('evaluate accuracy a.pt --domain mnits', "(did you mean 'mnist'?)");
    await refused(
      'evaluate accuracy a.pt --domain mnist --report r.pdf',
      'ends in .html, .json, .md, .txt for --report',
    );
    await refused('prune magnitude in.pt --out no/such/o.pt --sparsity 0.5', 'there is no folder no/such');
    await refused('train supervised --domain mnist --out o.pt', 'expected a model file or --architecture');
    await refused(
      'train supervised a.pt --architecture convnet --domain mnist --out o.pt',
      'give one of them',
    );
  },
  kMany,
);

test('an unknown command or option suggests the nearest', async () => {
  await refused(
    'prune magnitude in.pt --out o.pt --sparsty 0.5',
    /unknown option '--sparsty'\s+\(Did you mean --sparsity\?\)/,
  );
  await refused('prun magnitude', /unknown command 'prun'\s+\(Did you mean prune\?\)/);
});

test('--help shows ranges, units, defaults and sentences', async () => {
  const { code, stdout } = await espalier('prune magnitude --help', { COLUMNS: '200' });
  assert.is(code, 0);
  const words = stdout.replace(/\s+/g, ' ');
  assert.match(words, 'Share removed: of weights');
  assert.match(words, /--sparsity <number> .*?\(a number >= 0 and <= 1\)/);
  assert.match(words, /--fine-tune\.epochs <number> Passes over the fit data\. \(.*?in epochs; default 10\)/);
  assert.match(words, /--scope <word> .*?'global', 'layer'; default "global"/);
  assert.match(words, 'Source: Han et al. 2015');
  assert.not.match(words, '--no-');
});

test('each family and each method has its help', async () => {
  const { stdout } = await espalier('--help');
  for (const word of [
    'train',
    'prune',
    'evaluate',
    'inspect',
    'report',
    'methods',
    'doctor',
    'setup',
    'data',
  ]) {
    assert.match(stdout, new RegExp(`^  ${word}\\b`, 'm'));
  }
  assert.match((await espalier('prune --help')).stdout, 'Sets the weights');
});

test('a piped run is quiet on the error stream and prints its report', async () => {
  const folder = temporaryFolder();
  const result = await espalier(
    'prune magnitude in.pt --sparsity 0.5 --out o.pt --report r.html',
    {},
    folder,
  );
  assert.is(result.code, 0);
  assert.match(result.stdout, 'prune.magnitude');
  assert.is(result.stderr, 'Saved o.pt\nSaved r.html\n');
  assert.is(readFileSync(join(folder, 'o.pt'), 'utf8'), 'model');
  assert.match(readFileSync(join(folder, 'r.html'), 'utf8'), '<!doctype html>');
});

test('--json is a line a progress and the result', async () => {
  const lines = linesOf(
    await espalier('prune magnitude in.pt --sparsity 0.5 --out o.pt --out-mask m --json'),
  );
  const progress = lines.filter(({ type }) => type === 'progress');
  assert.ok(progress.length >= 1);
  assert.is(progress.at(-1)?.fraction, 1);
  const { type, outputs, report } = lines.at(-1) as Line;
  assert.is(type, 'result');
  assert.equal(outputs, { model: 'o.pt', mask: 'm' });
  assert.is((report as { method: string }).method, 'prune.magnitude');
});

test('a run that fails is exit code 1 and its code; the stack only with --verbose', async () => {
  const failing = { PRETEND_ERROR: 'ERR_DIVERGED' };
  const line = 'evaluate accuracy a.pt --domain mnist';
  const quiet = await espalier(line, failing);
  assert.is(quiet.code, 1);
  assert.is(quiet.stderr, 'ERR_DIVERGED: so it was asked\n');
  assert.match((await espalier(`${line} --verbose`, failing)).stderr, /^ +at /m);
  assert.equal(linesOf(await espalier(`${line} --json`, failing)).at(-1), {
    type: 'error',
    code: 'ERR_DIVERGED',
    message: 'so it was asked',
  });
});

function interrupted(signal: NodeJS.Signals, line: string, cwd: string) {
  return new Promise<{ code: number | null; stderr: string; stdout: string }>((resolve) => {
    const env = { ...process.env, PRETEND_STEPS: '1000' };
    const child = spawn(process.execPath, [script, ...line.split(' '), '--json'], { cwd, env });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout === '') child.kill(signal);
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('close', (code) => resolve({ code, stderr, stdout }));
  });
}

test('a run that fails says where its last checkpoint is', async () => {
  const folder = temporaryFolder();
  const line = 'prune magnitude in.pt --sparsity 0.5 --out o.pt --checkpoint c';
  writeFileSync(join(folder, 'c'), '');
  const { stderr } = await espalier(line, { PRETEND_ERROR: 'ERR_DIVERGED' }, folder);
  assert.is(stderr, 'The last checkpoint is c; --resume goes on from it.\nERR_DIVERGED: so it was asked\n');
});

test('Ctrl-C leaves a checkpoint, says how to go on, and ends with 130', async () => {
  const folder = temporaryFolder();
  const { code, stderr, stdout } = await interrupted(
    'SIGINT',
    'prune magnitude in.pt --sparsity 0.5 --out o.pt',
    folder,
  );
  assert.is(code, 130);
  assert.match(
    stderr,
    'espalier prune magnitude in.pt --sparsity 0.5 --out o.pt --json --resume o.pt.checkpoint',
  );
  assert.ok(existsSync(join(folder, 'o.pt.checkpoint')));
  assert.not.ok(existsSync(join(folder, 'o.pt')));
  assert.equal(JSON.parse(stdout.trim().split('\n').at(-1) as string), {
    type: 'interrupted',
    signal: 'SIGINT',
    checkpoint: 'o.pt.checkpoint',
  });
});

test('SIGTERM ends with 143', async () => {
  const { code } = await interrupted('SIGTERM', 'evaluate accuracy a.pt --domain mnist', temporaryFolder());
  assert.is(code, 143);
});

test('a checkpoint that was left is not written over; a resumed run removes it at the end', async () => {
  const folder = temporaryFolder();
  const line = 'prune magnitude in.pt --sparsity 0.5 --out o.pt';
  writeFileSync(join(folder, 'o.pt.checkpoint'), 'hours of work');
  const refusal = await espalier(line, {}, folder);
  assert.is(refusal.code, 2);
  assert.match(refusal.stderr, 'add --resume o.pt.checkpoint to go on from it');
  const { options } = await given(`${line} --resume o.pt.checkpoint`, folder);
  assert.is(options.resume, 'o.pt.checkpoint');
  assert.not.ok(existsSync(join(folder, 'o.pt.checkpoint')));
});

test('a checkpoint that was named stays where it is', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'c'), '');
  const line = 'prune magnitude in.pt --sparsity 0.5 --out o.pt --checkpoint c --checkpoint.keep 5';
  const { options } = await given(line, folder);
  assert.equal(options.checkpoint, { keep: 5, path: 'c' });
  assert.ok(existsSync(join(folder, 'c')));
});

test.run();
