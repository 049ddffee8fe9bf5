import fs from 'node:fs';
import { checkDisk, checkNode, checkPlatform, findCompiler, findPython } from './checks.mjs';
import { findCuda } from './cuda.mjs';
import * as libtorch from './libtorch.mjs';
import * as native from './native.mjs';
import * as packages from './packages.mjs';
import {
  addon,
  cudaOperators,
  filesBelow,
  inRoot,
  nativeBuild,
  operators,
  preload,
  root,
  venv,
} from './paths.mjs';
import { Problem } from './problem.mjs';
import { digest, fits, write } from './stamp.mjs';
import { step } from './steps.mjs';
import * as typescript from './typescript.mjs';
import * as python from './venv.mjs';

// What set-up, the build and the tests need to be true, each step done only when it is not yet.

const kTorchBytes = 3e9;
const kBuildBytes = 1e9;

// Finds or fetches everything that a build needs. Nothing is fetched before every check has passed. The CUDA
// kernels are built wherever they can be; `needsCuda`: that they cannot is a Problem.
export async function ensureTools(env = process.env, { needsCuda = false } = {}) {
  checkNode();
  checkPlatform();
  const compiler = await ensureCompiler(env);
  let found = (await libtorch.named(env)) ?? libtorch.ofVenv(venv);
  let tools = await native.findTools(env);
  const wanted = [
    ...(found ? [] : [`torch==${libtorch.kTorch}`, 'numpy']),
    ...(tools.cmake ? [] : ['cmake']),
    ...(tools.ninja ? [] : ['ninja']),
  ];
  const cudaFor = async (libtorchFound) => {
    const cuda = await findCuda(libtorchFound, env);
    if (needsCuda && !cuda.nvcc) throw new Problem(`The CUDA kernels cannot be built: ${cuda.problem}.`);
    return cuda;
  };
  if (found) await cudaFor(found);
  const basePython = wanted.length > 0 ? await findPython(env) : undefined;
  if (!found) checkDisk(venv, kTorchBytes, 'Set-up (libtorch and the build)');
  else if (!fs.existsSync(addon)) checkDisk(nativeBuild, kBuildBytes, 'The build');

  await ensurePackages(env);
  if (wanted.length > 0) {
    await step(`Fetching ${wanted.join(', ')} into .venv`, async () => {
      await python.create(venv, basePython);
      await python.install(venv, wanted);
    });
    found ??= libtorch.ofVenv(venv) ?? libtorch.inspect(venv, '.venv');
    tools = await native.findTools(env);
  }
  return {
    libtorch: found,
    compiler,
    ...tools,
    cuda: await cudaFor(found),
    werror: env.ESPALIER_WERROR === undefined ? undefined : env.ESPALIER_WERROR === '1',
  };
}

export async function ensurePackages(env = process.env) {
  if (!packages.firstMissing(root)) return;
  await step('Installing the npm packages of package-lock.json', () => packages.install(root, env));
}

// Compiling even three lines takes half a second: done once for each compiler.
async function ensureCompiler(env) {
  const stamp = inRoot('build/compiler.json');
  const key = JSON.stringify([env.CXX ?? null, env.PATH]);
  const known = fs.existsSync(stamp) ? JSON.parse(fs.readFileSync(stamp, 'utf8')) : {};
  if (known.key === key && fs.existsSync(known.compiler)) return known.compiler;
  const compiler = await findCompiler(env);
  write(stamp, JSON.stringify({ key, compiler }));
  return compiler;
}

const nativeSources = () => [
  ...filesBelow(inRoot('native'), ['.cc', '.h', '.cu', '.cuh']),
  ...filesBelow(inRoot('cmake'), ['.cmake']),
  inRoot('CMakeLists.txt'),
  inRoot('package.json'),
];

export async function ensureNative(tools, { always = false } = {}) {
  const stamp = inRoot('build/native.stamp');
  const key = digest(nativeSources(), tools);
  const made = [addon, operators, preload, ...(tools.cuda.nvcc ? [cudaOperators] : [])];
  if (!always && fits(stamp, key) && made.every((file) => fs.existsSync(file))) return false;
  await step(`Building the native addon with libtorch ${tools.libtorch.version}`, async () => {
    await native.configure(tools);
    const targets = ['espalier', 'espalier_preload', ...(tools.cuda.nvcc ? ['espalier_ops_cuda'] : [])];
    if (!tools.cuda.nvcc) fs.rmSync(cudaOperators, { force: true });
    await native.build({ ...tools, targets });
  });
  write(stamp, key);
  return true;
}

export async function ensureTypeScript({ always = false } = {}) {
  const stamp = inRoot('dist/sources.stamp');
  const key = digest(typescript.sources());
  if (!always && fits(stamp, key)) return false;
  await step('Compiling TypeScript', typescript.compile);
  write(stamp, key);
  return true;
}

// Development tools from PyPI, fetched into .venv only by who needs them.
export async function ensurePython(requirements, env = process.env) {
  const missing = requirements.filter((requirement) => !python.has(venv, requirement));
  if (missing.length === 0) return;
  const basePython = await findPython(env);
  await step(`Fetching ${missing.join(', ')} into .venv`, async () => {
    await python.create(venv, basePython);
    await python.install(venv, missing);
  });
}
