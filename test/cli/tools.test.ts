import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { renderTable, saveReport } from '../../lib/report/index.js';
import { authorization, matrix, training } from '../report/samples.js';
import { runChild } from '../support/child.js';
import { root, temporaryFolder } from '../support/paths.js';
import { test } from '../support/test.js';

const scratch = temporaryFolder();
const main = join(root, 'dist/lib/cli/main.js');
const espalier = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  runChild(main, args, { cwd: scratch, env: { ...process.env, ...env } });

test('--version is the version of the package', async () => {
  const { code, stdout } = await espalier(['--version']);
  assert.is(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test('nothing at all is wrong usage, and shows the help', async () => {
  const { code, stderr } = await espalier([]);
  assert.is(code, 2);
  assert.match(stderr, 'Usage: espalier');
});

test('methods lists every method with its sentence', async () => {
  const { stdout } = await espalier(['methods']);
  for (const name of ['train supervised', 'prune magnitude', 'evaluate accuracy', 'evaluate domains']) {
    assert.match(stdout, new RegExp(`^${name} +[A-Z]`, 'm'));
  }
  const methods = JSON.parse((await espalier(['methods', '--json'])).stdout) as {
    name: string;
    options: object;
  }[];
  assert.ok('sparsity' in (methods.find(({ name }) => name === 'prune.magnitude')?.options ?? {}));
});

test('a method may be called as in TypeScript', async () => {
  const hyphens = await espalier(['attack', 'fine-tune', '--help']);
  const camel = await espalier(['attack', 'fineTune', '--help']);
  assert.equal([camel.code, camel.stdout], [0, hyphens.stdout]);
  assert.match(camel.stdout, 'Usage: espalier attack fine-tune');
});

test('report puts saved reports on one page, whatever they were saved as', async () => {
  const at = (name: string) => join(scratch, name);
  await saveReport(at('one.json'), matrix);
  await saveReport(at('two.html'), training);
  const files = ['one.json', 'two.html'];
  const made = await espalier(['report', ...files, '--out', 'both.html', '--title', 'Both of them']);
  assert.equal([made.code, made.stdout, made.stderr], [0, '', 'Saved both.html\n']);
  await saveReport(at('expected.html'), [matrix, training], { title: 'Both of them' });
  assert.is(readFileSync(at('both.html'), 'utf8'), readFileSync(at('expected.html'), 'utf8'));

  const { stdout } = await espalier(['report', 'both.html']);
  assert.is(stdout, renderTable([matrix, training], { color: false, width: 100 }));
});

test('report compares three models that were bound to one domain, in one table', async () => {
  const methods = ['nonTransferablePruning', 'nonTransferableLearning', 'maskPruning'];
  const files = methods.map((name) => `${name}.json`);
  for (const name of methods)
    await saveReport(join(scratch, `${name}.json`), authorization({ method: `authorize.${name}` }));
  const { stdout } = await espalier(['report', ...files]);
  assert.is(stdout.split('Side by side').length, 2);
  assert.match(stdout, new RegExp(`^Side by side\\n +${methods.join(' +')}$`, 'm'));
});

test('report refuses what is none, by name', async () => {
  writeFileSync(join(scratch, 'none.json'), '{}');
  const none = await espalier(['report', 'none.json']);
  assert.is(none.code, 1);
  assert.match(none.stderr, /^ERR_DATA_INVALID: expected none\.json to be a report .*format/);
  assert.match((await espalier(['report', 'absent.json'])).stderr, /^ERR_IO: cannot read absent\.json/);
  assert.is((await espalier(['report', 'none.json', '--out', 'page.pdf'])).code, 2);
});

test('data makes a domain in the folder that is asked for, and lists it', async () => {
  const out = join(scratch, 'samples');
  const made = await espalier(['data', 'mnist', '--out', out, '--limit', '50']);
  assert.is(made.code, 0, made.stderr);
  assert.is(made.stdout, `${join(out, 'mnist')}\n`);
  assert.ok(existsSync(join(out, 'mnist/domain.json')));
  const { stdout } = await espalier(['data', '--list'], { ESPALIER_DATA: out });
  assert.match(stdout, /^mnist +50 +50 +/m);
});

test('data suggests the nearest name', async () => {
  const { code, stderr } = await espalier(['data', 'mnits']);
  assert.is(code, 2);
  assert.match(stderr, "received 'mnits' (did you mean 'mnist'?)");
});

test('doctor names what is wrong and ends with 1', async () => {
  const broken = { LIBTORCH: join(scratch, 'nowhere') };
  const { code, stdout } = await espalier(['doctor', '--json'], broken);
  assert.is(code, 1);
  const diagnosis = JSON.parse(stdout) as {
    node: string;
    problems: string[];
    libtorch: { places: { from: string; problem?: string }[] };
  };
  assert.is(diagnosis.node, process.version);
  assert.is(diagnosis.libtorch.places[0]?.from, 'LIBTORCH');
  assert.type(diagnosis.libtorch.places[0]?.problem, 'string');
  assert.ok(diagnosis.problems.length > 0);
  const words = await espalier(['doctor'], broken);
  assert.is(words.code, 1);
  assert.match(words.stdout, /^To repair\n1 +\S/m);
});

test('a reader that goes away early is no failure', async () => {
  const { code, stderr } = await runChild(join(root, 'dist/test/cli/pipe.js'), [main], { cwd: scratch });
  assert.is(stderr, '');
  assert.is(code, 0);
});

test.run();
