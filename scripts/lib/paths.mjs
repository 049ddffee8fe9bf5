import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const inRoot = (...parts) => path.join(root, ...parts);
export const venv = inRoot('.venv');
export const nativeBuild = inRoot('build/cmake');
export const addon = inRoot('build/Release/espalier.node');
export const operators = inRoot('build/Release/libespalier_ops.so');
export const cudaOperators = inRoot('build/Release/libespalier_ops_cuda.so');
export const preload = inRoot('build/preload/espalier-preload.node');

// Every file below `folder` whose name ends with one of `endings`, sorted; none when the folder is missing.
export function filesBelow(folder, endings) {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
