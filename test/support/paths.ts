import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// Tests run compiled, from dist/test.
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

// The Python whose torch is the one that the addon was built with, or undefined where there is none.
export function findPython(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (env.LIBTORCH) return undefined;
  if (env.LIBTORCH_USE_PYTORCH === '1') return 'python3';
  const own = path.join(root, '.venv/bin/python');
  return fs.existsSync(own) ? own : undefined;
}

const temporary: string[] = [];
process.once('exit', () => {
  for (const folder of temporary) fs.rmSync(folder, { recursive: true, force: true });
});

// A folder that is gone when the process ends.
export function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-test-'));
  temporary.push(folder);
  return folder;
}
