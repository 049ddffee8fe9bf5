import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { root } from './support/paths.js';
import { test } from './support/test.js';

// lib -> binding -> methods -> (core, kernels); kernels -> ATen only; core may call kernels.
const mayInclude: Record<string, string[]> = {
  core: ['core', 'kernels'],
  kernels: ['kernels'],
  methods: ['methods', 'core', 'kernels'],
  binding: ['binding', 'methods', 'core'],
  preload: [],
};

interface Include {
  from: string; // relative to native/
  to: string;
  quoted: boolean;
}

const native = path.join(root, 'native');

function below(folder: string, pattern: RegExp): string[] {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => pattern.test(file))
    .map((file) => path.join(folder, file));
}

function includes(): Include[] {
  return below(native, /\.(cc|h|cu|cuh)$/).flatMap((file) =>
    [...fs.readFileSync(file, 'utf8').matchAll(/^\s*#\s*include\s+([<"])([^>"]+)[>"]/gm)].map(
      ([, bracket, name]) => {
        const beside = path.join(path.dirname(file), name as string);
        const to =
          bracket === '"' && fs.existsSync(beside) ? path.relative(native, beside) : (name as string);
        return { from: path.relative(native, file), to, quoted: bracket === '"' };
      },
    ),
  );
}

const folderOf = (file: string) => file.split('/')[0] as string;
const stem = (file: string) => file.replace(/\.\w+$/, '');
// methods/<family>/<method>.*, not the registry that lists them.
const isMethod = (file: string) => /^methods\/\w+\/\w+\.\w+$/.test(file);
const said = ({ from, to }: Include) => `${from} includes ${to}`;

test('folders of native include only what the arrows allow', () => {
  const all = includes();
  assert.ok(all.length > 50);
  const unknown = all.filter(({ from }) => !(folderOf(from) in mayInclude));
  assert.equal(unknown.map(said), []);
  const wrong = all.filter(
    ({ from, to, quoted }) => quoted && !mayInclude[folderOf(from)]?.includes(folderOf(to)),
  );
  assert.equal(wrong.map(said), []);
});

// A method may have parts: learned_threshold_fields.h beside learned_threshold.cc.
function methodOf(file: string, all: readonly string[]): string {
  const wholes = all.filter(
    (other) => stem(file) === stem(other) || stem(file).startsWith(`${stem(other)}_`),
  );
  return wholes.map(stem).sort((one, other) => one.length - other.length)[0] ?? stem(file);
}

test('a method includes no other method', () => {
  const all = includes();
  const files = [...new Set(all.map(({ from }) => from))].filter(isMethod);
  const wrong = all.filter(
    ({ from, to }) => isMethod(from) && isMethod(to) && methodOf(from, files) !== methodOf(to, files),
  );
  assert.equal(wrong.map(said), []);
});

test('only binding includes napi.h', () => {
  const wrong = includes().filter(({ from, to }) => to.endsWith('napi.h') && folderOf(from) !== 'binding');
  assert.equal(wrong.map(said), []);
});

test('kernels include of torch only what ATen is made of', () => {
  const wrong = includes().filter(
    ({ from, to, quoted }) =>
      folderOf(from) === 'kernels' && !quoted && /^(torch\/(?!library\.h)|caffe2)/.test(to),
  );
  assert.equal(wrong.map(said), []);
});

// 'prune.magnitude' and the like, as registry.cc lists them; and the names of their files.
function methodNames(): string[] {
  return below(path.join(native, 'methods'), /\w+\/\w+\.cc$/).flatMap((file) => {
    const name = path.basename(file, '.cc');
    const camel = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    return [
      `"${path.basename(path.dirname(file))}.${camel}"`,
      `${path.basename(path.dirname(file))}/${name}`,
    ];
  });
}

test('nothing in core, kernels or binding knows the name of a method', () => {
  const files = ['core', 'kernels', 'binding'].flatMap((folder) =>
    below(path.join(native, folder), /\.(cc|h)$/),
  );
  const wrong = files.flatMap((file) => {
    const text = fs.readFileSync(file, 'utf8');
    return methodNames()
      .filter((name) => text.includes(name))
      .map((name) => `${path.relative(root, file)} names ${name}`);
  });
  assert.equal(wrong, []);
});

// The families are the folders of lib that are named as those of native/methods.
const families = () =>
  fs
    .readdirSync(path.join(native, 'methods'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

interface Import {
  from: string; // relative to lib/
  to: string;
}

function imports(): Import[] {
  const lib = path.join(root, 'lib');
  return below(lib, /\.ts$/).flatMap((file) =>
    [...fs.readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, to]) => ({
      from: path.relative(lib, file),
      to: path.relative(lib, path.resolve(path.dirname(file), to as string)),
    })),
  );
}

test('lib imports nothing of its own from outside lib, and a method of lib imports no other method', () => {
  const all = imports();
  assert.ok(all.length > 10);
  const outside = all.filter(({ to }) => to.startsWith('..'));
  assert.equal(outside, []);
  const isMethodFile = (file: string) => families().includes(folderOf(file)) && !/\/index\.\w+$/.test(file);
  const wrong = all.filter(
    ({ from, to }) => isMethodFile(from) && isMethodFile(to) && stem(from) !== stem(to),
  );
  assert.equal(wrong, []);
});

test.run();
