import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import type { NativeBinding } from './binding.js';
import { type AnyEspalierError, EspalierError, isEspalierError } from './errors.js';
import { hasCuda, type Libtorch, type LibtorchSearch, libraryOf, libtorchLocation } from './libtorch.js';

const require = createRequire(import.meta.url);

/** What the build wrote beside the addon. */
export interface BuildInfo {
  version: string;
  /** The version of libtorch that it was built with; its major.minor must be that of the one that is loaded. */
  torch: string;
  variant: string;
  cxx11Abi: boolean;
  napi: number;
  compiler: string;
  /** Where that libtorch was; not in a prebuild. */
  libtorch?: string;
}

export interface Addon {
  file: string;
  buildInfo: BuildInfo;
  /** Opens libtorch's libraries off the event loop. */
  preloader: string;
}

/** What the loader looks at; tests put other folders and machines in the place of this one. */
export interface Surroundings {
  packageFolder: string;
  env: NodeJS.ProcessEnv;
  platform: string;
  arch: string;
  /** Version of the C library, undefined where it is not glibc. */
  glibc: string | undefined;
}

export function surroundings(): Surroundings {
  return {
    packageFolder: dirname(require.resolve('../../package.json')),
    env: process.env,
    platform: process.platform,
    arch: process.arch,
    glibc: glibcVersion(),
  };
}

function glibcVersion(): string | undefined {
  const report = process.report as (NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined;
  if (report === undefined) return undefined;
  // Reading the network interfaces can take seconds.
  const { excludeNetwork } = report;
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  report.excludeNetwork = excludeNetwork ?? false;
  return header?.glibcVersionRuntime;
}

/** ERR_PLATFORM_UNSUPPORTED where no libtorch exists. */
export function checkPlatform({ platform, arch, glibc }: Surroundings): void {
  const here = `${platform} ${arch}${platform === 'linux' && glibc === undefined ? ' with musl' : ''}`;
  if (platform === 'linux' && (arch === 'x64' || arch === 'arm64') && glibc !== undefined) return;
  throw new EspalierError(
    'ERR_PLATFORM_UNSUPPORTED',
    `expected Linux on x64 or arm64 with glibc, found ${here}: libtorch is not to be had there; use a glibc-based image such as node:20-bookworm`,
  );
}

/** The addon, built here or prebuilt, and what belongs to it. ERR_BINDING_NOT_FOUND. */
export function findAddon({ packageFolder }: Surroundings): Addon {
  const { resolve } = require('node-gyp-build') as { resolve(folder: string): string };
  let file: string;
  try {
    file = resolve(packageFolder);
  } catch (cause) {
    throw notBuilt(`neither build/Release nor prebuilds in ${packageFolder} has it`, cause);
  }
  const folder = dirname(file);
  const isLocal = folder === join(packageFolder, 'build', 'Release');
  const preloader = join(isLocal ? join(packageFolder, 'build') : folder, 'preload', 'espalier-preload.node');
  try {
    const buildInfo = JSON.parse(readFileSync(join(folder, 'build-info.json'), 'utf8')) as BuildInfo;
    return { file, buildInfo, preloader };
  } catch (cause) {
    throw notBuilt(`${file} has no readable build-info.json beside it`, cause);
  }
}

const notBuilt = (why: string, cause: unknown) =>
  new EspalierError(
    'ERR_BINDING_NOT_FOUND',
    `the native addon is not built: ${why}; run 'npm run build' in a clone, or install the package again`,
    { cause },
  );

/** The libtorch that fits the addon. ERR_LIBTORCH_NOT_FOUND, ERR_LIBTORCH_ABI. */
export async function findLibtorch(addon: Addon, around: Surroundings): Promise<Libtorch> {
  const search = await searchLibtorch(addon, around);
  const { found } = search;
  if (found === undefined) throw libtorchMissing(search);
  const minor = (version: string) => version.split('.').slice(0, 2).join('.');
  if (minor(found.version) === minor(addon.buildInfo.torch)) return found;
  throw new EspalierError(
    'ERR_LIBTORCH_ABI',
    `expected libtorch ${minor(addon.buildInfo.torch)}, which the addon was built with, found ${found.version} in ${found.root} (by ${found.from}): point LIBTORCH to one that fits, or run 'npx espalier setup', or build again`,
    { details: { built: addon.buildInfo.torch, found: found.version, root: found.root } },
  );
}

export function searchLibtorch(addon: Addon | undefined, around: Surroundings): Promise<LibtorchSearch> {
  const { packageFolder, env } = around;
  return libtorchLocation({ packageFolder, env, builtWith: addon?.buildInfo.libtorch });
}

function libtorchMissing({ places }: LibtorchSearch): EspalierError {
  const looked = places.map(({ from, folder, problem }) =>
    folder === '' ? `${from} (${problem})` : `${from}: ${folder} (${problem})`,
  );
  return new EspalierError(
    'ERR_LIBTORCH_NOT_FOUND',
    `libtorch was not found; looked at ${looked.join('; ')}. Run 'npx espalier setup', which fetches it, or set LIBTORCH to its folder`,
    { details: { places } },
  );
}

/** What to open before the addon: libtorch, and the CUDA kernels where they were built and libtorch has CUDA. */
export function librariesOf(addon: Addon, libtorch: Libtorch): string[] {
  const kernels = join(dirname(addon.file), 'libespalier_ops_cuda.so');
  return [libraryOf(libtorch), ...(hasCuda(libtorch) && existsSync(kernels) ? [kernels] : [])];
}

/** Finds the addon and libtorch, opens libtorch on another thread, and loads the addon. */
export async function load(around: Surroundings = surroundings()): Promise<NativeBinding> {
  checkPlatform(around);
  const addon = findAddon(around);
  const libtorch = await findLibtorch(addon, around);
  try {
    const { preload } = require(addon.preloader) as { preload(paths: string[]): Promise<void> };
    await preload(librariesOf(addon, libtorch));
    const binding = require(addon.file) as NativeBinding;
    // A thread that is inside libtorch while the process tears it down would abort it. A Worker's environment
    // cleans up after itself.
    if (isMainThread) process.once('exit', () => binding.stop());
    return binding;
  } catch (error) {
    throw explain(error as Error, addon, libtorch);
  }
}

// The dynamic linker tells in words only.
function explain(cause: Error, addon: Addon, libtorch: Libtorch): AnyEspalierError {
  if (isEspalierError(cause)) return cause;
  const at = `${libtorch.version} in ${libtorch.root}`;
  if (/undefined symbol|version `/.test(cause.message)) {
    return new EspalierError(
      'ERR_LIBTORCH_ABI',
      `the addon, built with libtorch ${addon.buildInfo.torch}, does not fit libtorch ${at}: ${cause.message}; build again, or point LIBTORCH to one that fits`,
      { cause },
    );
  }
  if (cause.message.includes(libtorch.root) || /cannot open shared object file/.test(cause.message)) {
    return new EspalierError(
      'ERR_LIBTORCH_NOT_FOUND',
      `libtorch ${at} cannot be opened: ${cause.message}; run 'npx espalier setup', or set LIBTORCH to a complete one`,
      { cause },
    );
  }
  return new EspalierError('ERR_BINDING_NOT_FOUND', `${addon.file} does not load: ${cause.message}`, {
    cause,
  });
}
