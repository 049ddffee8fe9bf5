import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { cacheVenv } from '../../libtorch.js';
import { exitCodes } from '../usage.js';

const inPackage = (path: string) => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));

export function addSetup(command: Command): void {
  command
    .description('Fetches libtorch into the cache folder; in a clone, does all that the clone needs.')
    .option('--verbose', 'Show the stack of an error.')
    .action(async () => {
      // The lock file is in a clone and not in a package.
      const isClone = existsSync(inPackage('package-lock.json'));
      const script = isClone ? ['scripts/setup.mjs'] : ['scripts/fetch.mjs', cacheVenv()];
      const [file, ...args] = script as [string, ...string[]];
      process.exitCode = await run([inPackage(file), ...args]);
    });
}

function run(args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit' });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve(signal === 'SIGINT' || signal === 'SIGTERM' ? exitCodes[signal] : (code ?? exitCodes.failed));
    });
  });
}
