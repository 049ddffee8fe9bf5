import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { type ChildResult, runChild } from './support/child.js';
import { root, temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';

// A bare machine: a folder that holds the scripts and nothing else, and a PATH of stub programs.
class Machine {
  readonly clone = temporaryFolder();
  readonly #bin = temporaryFolder();

  constructor(programs: Record<string, string> = {}) {
    fs.cpSync(path.join(root, 'scripts'), path.join(this.clone, 'scripts'), { recursive: true });
    fs.copyFileSync(path.join(root, 'package.json'), path.join(this.clone, 'package.json'));
    for (const [name, body] of Object.entries(programs)) {
      fs.writeFileSync(path.join(this.#bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    }
  }

  write(name: string, text: string): string {
    const file = path.join(this.clone, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    return file;
  }

  setup(env: NodeJS.ProcessEnv = {}): Promise<ChildResult> {
    return this.#run('setup.mjs', [], env);
  }

  build(args: string[], env: NodeJS.ProcessEnv): Promise<ChildResult> {
    return this.#run('build.mjs', args, env);
  }

  #run(script: string, args: string[], env: NodeJS.ProcessEnv): Promise<ChildResult> {
    return runChild(path.join(this.clone, 'scripts', script), args, {
      env: { PATH: this.#bin, HOME: this.clone, ...env },
    });
  }

  // A libtorch of files that are named as its own.
  libtorch(name: string, cuda?: string): string {
    const version = `__version__ = '2.13.0'\ncuda: Optional[str] = ${cuda ? `'${cuda}'` : 'None'}\n`;
    const file = this.write(`${name}/version.py`, version);
    for (const part of ['lib/libtorch_cpu.so', 'include/torch/x.h', 'share/cmake/Torch/TorchConfig.cmake'])
      this.write(`${name}/${part}`, '');
    if (cuda) this.write(`${name}/lib/libtorch_cuda.so`, '');
    return path.dirname(file);
  }
}

const compiler = { 'c++': 'exit 0' };
const python = { python3: 'echo 3.11' };

function refuses({ code, signal, stderr }: ChildResult, ...parts: (string | RegExp)[]): void {
  for (const part of parts) assert.match(stderr, part);
  assert.is(signal, null);
  assert.is(code, 1);
  assert.is(stderr.trim().split('\n').length, 1, `one sentence, but: ${stderr}`);
  assert.not.match(stderr, /^ +at /m);
}

test('no compiler: says what was tried and how to get one', async () => {
  refuses(
    await new Machine().setup(),
    'No C++ compiler was found (tried c++, g++, clang++',
    'apt-get install g++',
  );
  refuses(await new Machine(compiler).setup({ CXX: 'g++-99' }), 'tried g++-99');
});

test('a compiler without C++20: says what the compiler said', async () => {
  const old = { 'c++': 'echo "error: unrecognized option -std=c++20" >&2; exit 1' };
  refuses(await new Machine(old).setup(), 'cannot build C++20', 'unrecognized option -std=c++20', 'GCC 11');
});

test('no Python: says what it is needed for, and the way without it', async () => {
  refuses(await new Machine(compiler).setup(), 'No Python 3 was found', 'python3-venv', 'set LIBTORCH');
});

test('a Python that is too old, or has no venv module', async () => {
  refuses(await new Machine({ ...compiler, python3: 'echo 3.8' }).setup(), 'needs Python 3.10', 'is 3.8');
  const bare = 'echo 3.11; echo "ModuleNotFoundError: No module named ensurepip" >&2; exit 1';
  refuses(
    await new Machine({ ...compiler, python3: bare }).setup(),
    'lacks the venv module',
    'No module named ensurepip',
  );
});

test('LIBTORCH that leads nowhere, or to no libtorch, is refused even where Python is there', async () => {
  const machine = new Machine({ ...compiler, ...python });
  refuses(
    await machine.setup({ LIBTORCH: '/no/such' }),
    'LIBTORCH is /no/such, which does not exist',
    'unset it',
  );
  refuses(await machine.setup({ LIBTORCH: machine.clone }), 'which is no libtorch', 'version.py');
});

test('a libtorch out of range is named with its version and the range', async () => {
  const machine = new Machine(compiler);
  for (const version of ['1.13.1', '2.12.9+cpu', '2.15.0', '3.0.0']) {
    const folder = path.dirname(machine.write(`torch-${version}/build-version`, `${version}\n`));
    refuses(
      await machine.setup({ LIBTORCH: folder }),
      `libtorch ${version}, but Espalier builds with 2.13 to 2.14`,
    );
  }
  const wheel = path.dirname(machine.write('wheel/version.py', "__version__ = '2.9.1+cu128'\n"));
  refuses(await machine.setup({ LIBTORCH: wheel }), 'libtorch 2.9.1+cu128');
});

test('a libtorch in range that lacks a part is refused by the part', async () => {
  const machine = new Machine(compiler);
  const folder = path.dirname(machine.write('torch/build-version', '2.13.0+cpu\n'));
  refuses(await machine.setup({ LIBTORCH: folder }), 'libtorch 2.13.0+cpu without lib/libtorch_cpu.so');
});

test('LIBTORCH_USE_PYTORCH names the interpreter that has no torch', async () => {
  const machine = new Machine({ ...compiler, python3: 'echo /opt/some/python3; echo' });
  refuses(
    await machine.setup({ LIBTORCH_USE_PYTORCH: '1' }),
    'active Python /opt/some/python3',
    'has no torch',
  );
  refuses(await machine.setup({ LIBTORCH_USE_PYTORCH: 'yes' }), "LIBTORCH_USE_PYTORCH is 'yes', expected 1");
  refuses(await new Machine(compiler).setup({ LIBTORCH_USE_PYTORCH: '1' }), 'no python3 was found on PATH');
});

test('no disk: says how much is needed, where, and how much there is, before anything is fetched', async () => {
  const machine = new Machine({ ...compiler, ...python });
  const full = machine.write(
    'full.mjs',
    "import fs from 'node:fs'; fs.statfsSync = () => ({ bavail: 500, bsize: 1e6 });",
  );
  const result = await machine.setup({ NODE_OPTIONS: `--import ${pathToFileURL(full).href}` });
  refuses(result, 'needs 3.0 GB of free disk', machine.clone, '500 MB is free');
  assert.not.ok(fs.existsSync(path.join(machine.clone, '.venv')));
});

test('a folder .venv that is no virtual environment is left alone', async () => {
  const machine = new Machine({ ...compiler, ...python });
  const mine = machine.write('.venv/mine.txt', 'mine');
  refuses(await machine.setup(), '.venv exists but holds no Python');
  assert.is(fs.readFileSync(mine, 'utf8'), 'mine');
});

test('packages that the lock file names: no npm, and a linked node_modules, are said', async () => {
  const machine = new Machine({ ...compiler, ...python });
  machine.write(
    'package-lock.json',
    JSON.stringify({ packages: { '': {}, 'node_modules/zod': { version: '4.0.0' } } }),
  );
  refuses(await machine.setup(), 'npm was not found on PATH');
  const elsewhere = temporaryFolder();
  fs.symlinkSync(elsewhere, path.join(machine.clone, 'node_modules'));
  refuses(await machine.setup(), 'node_modules is a link and lacks node_modules/zod', "run 'npm ci'");
});

test('Node.js and the platform are checked', async () => {
  const checks = await import(pathToFileURL(path.join(root, 'scripts/lib/checks.mjs')).href);
  for (const version of ['20.19.0', '20.20.2', '22.12.0', '24.1.0']) checks.checkNode(version);
  for (const version of ['18.20.0', '20.18.9', '21.7.3', '22.11.0']) {
    assert.throws(() => checks.checkNode(version), new RegExp(`this is ${version}: install a newer`));
  }
  checks.checkPlatform('linux', false);
  assert.throws(() => checks.checkPlatform('darwin', false), /but this is darwin/);
  assert.throws(() => checks.checkPlatform('linux', true), /but this is Linux with musl/);
});

test('set-up of a clone that is set up does nothing, in under a second', async () => {
  const times: number[] = [];
  for (let i = 0; i < 3; ++i) {
    const start = performance.now();
    const { code, stdout } = await runChild(path.join(root, 'scripts/setup.mjs'));
    times.push(performance.now() - start);
    assert.is(code, 0);
    assert.match(stdout, /^Set-up: everything is up to date \(\d\.\d s\)\n$/);
  }
  assert.ok(Math.min(...times) < 1000, `took ${times.map(Math.round)} ms`);
});

test('the CUDA kernels without what they need: says which part is missing, and what to do', async () => {
  const plain = new Machine(compiler);
  const build = (machine: Machine, LIBTORCH: string) => machine.build(['--cuda'], { LIBTORCH });
  refuses(await build(plain, plain.libtorch('cpu')), 'cannot be built', 'has no CUDA; set LIBTORCH');

  const lines = ['echo "release 12.4, V12.4.1"', 'echo "#\\$ _HERE_=/nowhere"'].join('\n');
  const old = new Machine({ ...compiler, nvcc: lines });
  refuses(await build(old, old.libtorch('gpu', '13.0')), 'is of CUDA 12.4', 'of CUDA 13.0; install CUDA 13');
  const broken = new Machine({ ...compiler, nvcc: 'exit 1' });
  refuses(await build(broken, broken.libtorch('gpu', '13.0')), 'does not run', 'set CUDACXX');
});

test.run();
