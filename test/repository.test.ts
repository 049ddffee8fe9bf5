import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { root } from './support/paths.js';
import { test } from './support/test.js';

const isRepository = fs.existsSync(path.join(root, '.git'));
const tracked = () =>
  execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((file) => file && fs.existsSync(path.join(root, file)));

// Put together here, so that this file does not hold what it seeks.
const machinePaths = ['root', 'work', 'farm', 'home', 'tmp'].map((name) => `/${name}/\\w`);
const registries = [
  ['registry', 'npmjs', 'org'],
  ['files', 'pythonhosted', 'org'],
  ['pypi', 'org'],
  ['download', 'pytorch', 'org'],
].map((parts) => parts.join('\\.'));
const forbidden = new RegExp(`(?<![\\w.$}])(${machinePaths.join('|')})|${registries.join('|')}`);

function findings(): string[] {
  const found: string[] = [];
  for (const file of tracked()) {
    const text = fs.readFileSync(path.join(root, file), 'utf8');
    if (text.includes('\0')) continue;
    text.split('\n').forEach((line, i) => {
      const match = forbidden.exec(line);
      if (match) found.push(`${file}:${i + 1}: ${match[0]}`);
    });
  }
  return found;
}

if (isRepository) {
  test('the pattern finds a path of a machine and a registry', () => {
    assert.match(`cd ${path.posix.join('/', 'root', 'x')}`, forbidden);
    assert.match(`open ${path.posix.join('/', 'tmp', 'x')}`, forbidden);
    assert.match(['https://pypi', 'org/simple'].join('.'), forbidden);
    assert.not.match('see lib/work/x, $HOME/tmp/x and ./root/', forbidden);
  });

  test('no tracked file names a path of some machine or the host of a registry', () => {
    assert.equal(findings(), []);
  });

  test('every tracked file is a real file', () => {
    const links = tracked().filter((file) => fs.lstatSync(path.join(root, file)).isSymbolicLink());
    assert.equal(links, []);
  });
} else {
  test.skip('this is no git repository');
}

test('every picture of the documentation has a size', () => {
  const folder = path.join(root, 'docs/images');
  const pictures = fs.readdirSync(folder).filter((file) => file.endsWith('.svg'));
  assert.ok(pictures.length > 0);
  for (const picture of pictures) {
    const [head = ''] = /<svg[^>]*>/.exec(fs.readFileSync(path.join(folder, picture), 'utf8')) ?? [];
    assert.match(head, /viewBox="0 0 [1-9][\d.]* [1-9][\d.]*"/, `${picture}: ${head}`);
  }
});

test('every script of npm run says what it is for, and does nothing else', () => {
  const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const files = new Set(Object.values(scripts).flatMap((line) => line.match(/scripts\/\w+\.mjs/g) ?? []));
  assert.ok(files.has('scripts/soak.mjs'));
  for (const file of files) {
    const said = execFileSync(process.execPath, [file, '--help'], { cwd: root, encoding: 'utf8' });
    assert.match(said, /^npm (run \w+|test)\b[^\n]*: /, `${file}: ${said}`);
  }
});

test.run();
