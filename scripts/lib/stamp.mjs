import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './paths.mjs';

// A stamp says for which contents a step was done, so that it is done again only when they change.

export function digest(files, ...facts) {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const file of files) {
    hash.update(`\0${path.relative(root, file)}\0`);
    if (fs.existsSync(file)) hash.update(fs.readFileSync(file));
  }
  return hash.digest('hex');
}

export function fits(stamp, key) {
  return fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === key;
}

export function write(stamp, key) {
  fs.mkdirSync(path.dirname(stamp), { recursive: true });
  fs.writeFileSync(stamp, key);
}
