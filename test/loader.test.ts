import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import type { ErrorCode, ErrorFacts } from '../lib/errors.js';
import { libtorchLocation } from '../lib/libtorch.js';
import {
  checkPlatform,
  findAddon,
  findLibtorch,
  librariesOf,
  load,
  type Surroundings,
} from '../lib/loader.js';
import { runCommand } from './support/child.js';
import { root, temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';

const folder = temporaryFolder();

function write(file: string, content: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
}

// A package with whatever stands in for an addon.
function stubPackage(name: string, { torch = '2.13.0', libtorch = '' } = {}): Surroundings {
  const packageFolder = path.join(folder, name);
  write(path.join(packageFolder, 'package.json'), '{ "name": "espalier" }');
  write(path.join(packageFolder, 'build/Release/espalier.node'), 'no library');
  const info = { version: '0.1.0', torch, variant: 'cpu', cxx11Abi: true, napi: 8, compiler: 'none' };
  write(
    path.join(packageFolder, 'build/Release/build-info.json'),
    JSON.stringify(libtorch === '' ? info : { ...info, libtorch }),
  );
  return around(packageFolder);
}

function around(packageFolder: string, env: NodeJS.ProcessEnv = {}): Surroundings {
  const cache = path.join(packageFolder, 'cache');
  process.env.XDG_CACHE_HOME = cache;
  return {
    packageFolder,
    env: { PATH: process.env.PATH, ...env },
    platform: 'linux',
    arch: 'x64',
    glibc: '2.36',
  };
}

function stubLibtorch(name: string, version: string, wheel = false): string {
  const libtorch = path.join(folder, name);
  if (wheel) write(path.join(libtorch, 'version.py'), `__version__ = '${version}'\n`);
  else write(path.join(libtorch, 'build-version'), `${version}\n`);
  write(path.join(libtorch, 'lib/libtorch.so'), 'no library');
  return libtorch;
}

async function refusal(code: ErrorCode, body: () => unknown): Promise<Error & ErrorFacts> {
  try {
    await body();
  } catch (error) {
    assert.is((error as ErrorFacts).code, code, String(error));
    return error as Error & ErrorFacts;
  }
  throw new Error(`expected ${code}, nothing was thrown`);
}

test('a platform without libtorch is refused by name', async () => {
  const here = around(folder);
  checkPlatform(here);
  checkPlatform({ ...here, arch: 'arm64' });
  for (const [change, found] of [
    [{ platform: 'darwin' }, /found darwin x64/],
    [{ arch: 'ia32' }, /found linux ia32/],
    [{ glibc: undefined }, /found linux x64 with musl/],
  ] as const) {
    const error = await refusal('ERR_PLATFORM_UNSUPPORTED', () => checkPlatform({ ...here, ...change }));
    assert.match(error.message, found);
  }
});

test('the CUDA kernels are opened where they were built and libtorch has CUDA', async () => {
  const here = stubPackage('kernels', { libtorch: stubLibtorch('for-kernels', '2.13.0') });
  const addon = findAddon(here);
  const libtorch = await findLibtorch(addon, here);
  const torch = path.join(libtorch.root, 'lib/libtorch.so');
  const kernels = path.join(path.dirname(addon.file), 'libespalier_ops_cuda.so');
  assert.equal(librariesOf(addon, libtorch), [torch]);
  write(kernels, 'no library');
  assert.equal(librariesOf(addon, libtorch), [torch]);
  write(path.join(libtorch.root, 'lib/libtorch_cuda.so'), 'no library');
  assert.equal(librariesOf(addon, libtorch), [torch, kernels]);
});

test('an addon that was not built is missed, with the command that builds it', async () => {
  const empty = path.join(folder, 'empty');
  write(path.join(empty, 'package.json'), '{ "name": "espalier" }');
  const error = await refusal('ERR_BINDING_NOT_FOUND', () => findAddon(around(empty)));
  assert.match(error.message, 'npm run build');
  assert.match(error.message, empty);
});

test('an addon without its build-info is no addon', async () => {
  const here = stubPackage('no-info');
  fs.rmSync(path.join(here.packageFolder, 'build/Release/build-info.json'));
  const error = await refusal('ERR_BINDING_NOT_FOUND', () => findAddon(here));
  assert.match(error.message, 'build-info.json');
});

test('a local build and a prebuild each have their preloader', () => {
  const local = stubPackage('local');
  assert.is(
    findAddon(local).preloader,
    path.join(local.packageFolder, 'build/preload/espalier-preload.node'),
  );
  const shipped = path.join(folder, 'shipped');
  const prebuilds = path.join(shipped, `prebuilds/${process.platform}-${process.arch}`);
  write(path.join(shipped, 'package.json'), '{ "name": "espalier" }');
  write(path.join(prebuilds, 'espalier.glibc.node'), 'no library');
  write(path.join(prebuilds, 'build-info.json'), '{ "torch": "2.13.0" }');
  assert.is(findAddon(around(shipped)).preloader, path.join(prebuilds, 'preload/espalier-preload.node'));
});

test('LIBTORCH is exclusive: what is wrong there is not made up for elsewhere', async () => {
  const good = stubLibtorch('good', '2.13.0');
  const here = stubPackage('exclusive', { libtorch: good });
  const addon = findAddon(here);
  assert.is((await findLibtorch(addon, here)).root, good);
  const missing = path.join(folder, 'nowhere');
  const error = await refusal('ERR_LIBTORCH_NOT_FOUND', () =>
    findLibtorch(addon, { ...here, env: { LIBTORCH: missing } }),
  );
  assert.match(error.message, `LIBTORCH: ${missing}`);
  assert.match(error.message, 'espalier setup');
});

test('without LIBTORCH it is sought at the build, in .venv and in the cache, in this order', async () => {
  const here = stubPackage('order');
  const { packageFolder } = here;
  const options = { packageFolder, builtWith: path.join(folder, 'gone'), env: {} };
  const nothing = await libtorchLocation(options);
  assert.is(nothing.found, undefined);
  assert.equal(
    nothing.places.map(({ from }) => from),
    ['the build', "the package's .venv", 'espalier setup'],
  );
  const cached = stubLibtorch(
    'order/cache/espalier/venv/lib/python3.11/site-packages/torch',
    '2.13.0+cpu',
    true,
  );
  assert.equal((await libtorchLocation(options)).found, {
    root: cached,
    version: '2.13.0+cpu',
    from: 'espalier setup',
  });
  const own = stubLibtorch('order/.venv/lib/python3.12/site-packages/torch', '2.14.1', true);
  assert.is((await libtorchLocation(options)).found?.root, own);
  const built = stubLibtorch('order-built', '2.13.0');
  assert.is((await libtorchLocation({ ...options, builtWith: built })).found?.root, built);
});

test('where it was sought is told when it is found nowhere', async () => {
  const here = stubPackage('told');
  const error = await refusal('ERR_LIBTORCH_NOT_FOUND', () => findLibtorch(findAddon(here), here));
  assert.match(error.message, path.join(here.packageFolder, '.venv'));
  assert.match(error.message, path.join(here.packageFolder, 'cache/espalier/venv'));
  assert.match(error.message, 'set LIBTORCH');
});

test('LIBTORCH_USE_PYTORCH asks the active Python, and says when it has no torch', async () => {
  const bin = path.join(folder, 'bin');
  const torch = stubLibtorch('python-torch', '2.13.0', true);
  const answer = (text: string) => {
    write(path.join(bin, 'python3'), `#!/bin/sh\necho "${text}"\n`);
    fs.chmodSync(path.join(bin, 'python3'), 0o755);
  };
  const options = { packageFolder: folder, env: { LIBTORCH_USE_PYTORCH: '1', PATH: `${bin}:/usr/bin:/bin` } };
  answer(torch);
  assert.is((await libtorchLocation(options)).found?.root, torch);
  answer('');
  assert.match((await libtorchLocation(options)).places[0]?.problem ?? '', 'no torch');
});

test('a libtorch without its library is none', async () => {
  const broken = stubLibtorch('broken', '2.13.0');
  fs.rmSync(path.join(broken, 'lib/libtorch.so'));
  const { found, places } = await libtorchLocation({ packageFolder: folder, env: { LIBTORCH: broken } });
  assert.is(found, undefined);
  assert.match(places[0]?.problem ?? '', 'libtorch.so');
});

test('another minor of libtorch than the addon was built with is refused before anything is loaded', async () => {
  const other = stubLibtorch('other', '2.14.0');
  const here = { ...stubPackage('minor'), env: { LIBTORCH: other } };
  const error = await refusal('ERR_LIBTORCH_ABI', () => load(here));
  assert.match(error.message, 'expected libtorch 2.13');
  assert.match(error.message, 'found 2.14.0');
  assert.equal(error.details, { built: '2.13.0', found: '2.14.0', root: other });
  const patch = stubLibtorch('patch', '2.13.9+cu130');
  assert.is(
    (await findLibtorch(findAddon(here), { ...here, env: { LIBTORCH: patch } })).version,
    '2.13.9+cu130',
  );
});

test('what the dynamic linker cannot open is told with the reason', async () => {
  const here = { ...stubPackage('linker'), env: { LIBTORCH: stubLibtorch('hollow', '2.13.0') } };
  fs.mkdirSync(path.join(here.packageFolder, 'build/preload'));
  const preloader = path.join(root, 'build/preload/espalier-preload.node');
  fs.copyFileSync(preloader, path.join(here.packageFolder, 'build/preload/espalier-preload.node'));
  const error = await refusal('ERR_LIBTORCH_NOT_FOUND', () => load(here));
  assert.match(error.message, 'cannot be opened');
  assert.ok(error.cause instanceof Error);
});

test('importing the package loads neither the addon nor libtorch', () => {
  const script = `
    import * as espalier from ${JSON.stringify(path.join(root, 'dist/lib/index.js'))};
    import fs from 'node:fs';
    const maps = fs.readFileSync('/proc/self/maps', 'utf8');
    console.log(typeof espalier.Model.load, /libtorch|espalier\\.node/.test(maps));`;
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.is(out.trim(), 'function false');
});

test('the threads of OpenMP spin briefly, unless the caller has said how they wait', async () => {
  const library = JSON.stringify(path.join(root, 'dist/lib/index.js'));
  const script = `
    const { Model } = await import(${library});
    await Model.create('lenet5', { classes: 2, seed: 1 });
    console.log(process.env.GOMP_SPINCOUNT ?? 'unset');`;
  const spins = async (own: NodeJS.ProcessEnv) => {
    const { GOMP_SPINCOUNT: _, OMP_WAIT_POLICY: __, ...rest } = process.env;
    const env = { ...rest, ...own, OMP_DISPLAY_ENV: 'VERBOSE' };
    const args = ['--input-type=module', '-e', script];
    const { stdout, stderr } = await runCommand(process.execPath, args, { env });
    return [/GOMP_SPINCOUNT = '(\d+)'/.exec(stderr)?.[1], stdout.trim()];
  };
  assert.equal(await spins({}), ['5000', 'unset']);
  assert.equal(await spins({ GOMP_SPINCOUNT: '77' }), ['77', '77']);
  assert.equal(await spins({ OMP_WAIT_POLICY: 'PASSIVE' }), ['0', 'unset']);
});

test.run();
