import { loadBinding } from './binding.js';
import { isEspalierError } from './errors.js';
import type { LibtorchSearch } from './libtorch.js';
import {
  type Addon,
  checkPlatform,
  findAddon,
  findLibtorch,
  searchLibtorch,
  surroundings,
} from './loader.js';

/** What the loaded libtorch says. */
export interface RuntimeFacts {
  libtorch: string;
  /** 'cpu', 'cuda:0', ... */
  devices: string[];
  cores: number;
  concurrentRuns: number;
  threadsPerRun: number;
}

/** What a person who seeks a fault wants to know first. */
export interface Diagnosis {
  node: string;
  platform: string;
  addon?: Addon;
  libtorch: LibtorchSearch;
  runtime?: RuntimeFacts;
  /** Each with its remedy; empty where everything works. */
  problems: string[];
}

/** Looks at everything that has to be there, and says what to repair. */
export async function doctor(): Promise<Diagnosis> {
  const around = surroundings();
  const problems: string[] = [];
  const attempt = async <T>(step: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await step();
    } catch (error) {
      if (!isEspalierError(error)) throw error;
      if (!problems.includes(error.message)) problems.push(error.message);
      return undefined;
    }
  };
  await attempt(() => checkPlatform(around));
  const addon = await attempt(() => findAddon(around));
  const libtorch = await searchLibtorch(addon, around);
  const diagnosis: Diagnosis = {
    node: process.version,
    platform: `${around.platform} ${around.arch}, ${around.glibc === undefined ? 'no glibc' : `glibc ${around.glibc}`}`,
    libtorch,
    problems,
  };
  if (addon === undefined) return diagnosis;
  diagnosis.addon = addon;
  if ((await attempt(() => findLibtorch(addon, around))) === undefined) return diagnosis;
  const runtime = await attempt(async () => (await loadBinding()).describe());
  if (runtime !== undefined) diagnosis.runtime = runtime;
  return diagnosis;
}
