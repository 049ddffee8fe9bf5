import fs from 'node:fs';
import path from 'node:path';
import { Problem } from './problem.mjs';
import { must, which } from './process.mjs';

// The npm packages of the lock file.

// The first locked package that node_modules lacks or has in another version, or undefined when all fit.
// npm keeps its own record of what it installed; packages beyond the lock file do no harm.
export function firstMissing(folder) {
  const locked = readPackages(path.join(folder, 'package-lock.json'));
  const installed = readPackages(path.join(folder, 'node_modules/.package-lock.json'));
  return Object.keys(locked).find(
    (name) => name && !isOptional(locked[name]) && installed[name]?.version !== locked[name].version,
  );
}

// Packages of other platforms are in the lock file but never installed.
const isOptional = (entry) => entry.optional || entry.devOptional || entry.peer;

function readPackages(file) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).packages : {};
}

export async function install(folder, env = process.env) {
  if (fs.lstatSync(path.join(folder, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new Problem(
      `node_modules is a link and lacks ${firstMissing(folder)} of package-lock.json: run 'npm ci' where it leads, or remove the link.`,
    );
  }
  const npm = findNpm(env);
  await must(
    'Installing the npm packages',
    npm.command,
    [...npm.args, 'ci', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: folder,
      env,
    },
  );
}

// npm itself says where it is when it started us; else it is on PATH.
export function findNpm(env) {
  if (env.npm_execpath?.endsWith('npm-cli.js'))
    return { command: process.execPath, args: [env.npm_execpath] };
  const command = which('npm', env);
  if (!command)
    throw new Problem('npm was not found on PATH: install it (it comes with Node.js), and run this again.');
  return { command, args: [] };
}
