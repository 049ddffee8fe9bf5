import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { NativeBinding } from './binding.js';
import { EspalierError } from './errors.js';

const require = createRequire(import.meta.url);
const packageFolder = dirname(require.resolve('../../package.json'));

/** Finds the addon and loads it. */
export async function load(): Promise<NativeBinding> {
  const { resolve } = require('node-gyp-build') as { resolve(folder: string): string };
  let file: string;
  try {
    file = resolve(packageFolder);
  } catch (cause) {
    throw new EspalierError(
      'ERR_BINDING_NOT_FOUND',
      `the native addon is not built: run 'npm run build' in ${packageFolder}`,
      { cause },
    );
  }
  return require(file) as NativeBinding;
}
