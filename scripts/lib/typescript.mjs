import fs from 'node:fs';
import path from 'node:path';
import { filesBelow, inRoot, root } from './paths.mjs';
import { must } from './process.mjs';

const dist = inRoot('dist');

// Compiles lib, test, bench and reliability into dist, and removes from there what has lost its source.
export async function compile() {
  prune();
  await run(['-p', root], root);
  const cli = path.join(dist, 'lib/cli/main.js');
  if (fs.existsSync(cli)) fs.chmodSync(cli, 0o755);
}

// Runs the project's own compiler.
export async function run(args, cwd) {
  const folder = inRoot('node_modules/typescript');
  const { bin } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  await must('Compiling TypeScript', process.execPath, [path.join(folder, bin.tsc), ...args], { cwd });
}

function prune() {
  for (const file of filesBelow(dist, ['.js', '.js.map', '.d.ts', '.d.ts.map'])) {
    const source = path.join(root, path.relative(dist, file)).replace(/\.(js|d\.ts)(\.map)?$/, '.ts');
    if (!fs.existsSync(source)) fs.rmSync(file);
  }
}

export const sources = () => [
  ...['lib', 'test', 'bench', 'reliability'].flatMap((folder) => filesBelow(inRoot(folder), ['.ts'])),
  inRoot('tsconfig.json'),
  inRoot('package-lock.json'),
];
