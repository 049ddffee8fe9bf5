import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Problem } from './problem.mjs';
import { run, which } from './process.mjs';
import { size } from './steps.mjs';

export const kPythonAtLeast = [3, 10];

export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if ((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22) return;
  throw new Problem(
    `Espalier needs Node.js 20.19 or later of 20, or 22.12 or later, but this is ${version}: install a newer Node.js.`,
  );
}

export function checkPlatform(platform = process.platform, musl = fs.existsSync('/etc/alpine-release')) {
  if (platform === 'linux' && !musl) return;
  throw new Problem(
    `Espalier runs on Linux with glibc, but this is ${musl ? 'Linux with musl' : platform}: libtorch has no build that fits; use a glibc distribution or a container.`,
  );
}

// The C++ compiler, proved by compiling three lines of C++20.
export async function findCompiler(env = process.env) {
  const candidates = env.CXX ? [env.CXX] : ['c++', 'g++', 'clang++'];
  const compiler = candidates.map((name) => which(name, env)).find(Boolean);
  const remedy = "install one (Debian and Ubuntu: 'apt-get install g++'), or set CXX to its path";
  if (!compiler) {
    throw new Problem(`No C++ compiler was found (tried ${candidates.join(', ')} on PATH): ${remedy}.`);
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-compiler-'));
  try {
    const source = path.join(folder, 'check.cc');
    fs.writeFileSync(
      source,
      '#include <concepts>\ntemplate <std::integral T> T twice(T x) { return x + x; }\nint main() { return twice(0); }\n',
    );
    const result = await run(compiler, ['-std=c++20', '-fopenmp', '-o', path.join(folder, 'check'), source], {
      env,
    });
    if (result.code === 0) return compiler;
    const reason = result.output
      .trim()
      .split('\n')
      .find((line) => /error|fatal|cannot|not found/i.test(line));
    throw new Problem(
      `The C++ compiler ${compiler} cannot build C++20 with OpenMP (${reason?.trim() ?? result.error?.message ?? `exit code ${result.code}`}): ${remedy}; GCC 11 and Clang 14 are new enough.`,
    );
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

// A Python that can make a virtual environment.
export async function findPython(env = process.env) {
  const remedy =
    "install it (Debian and Ubuntu: 'apt-get install python3 python3-venv'), or set LIBTORCH to a libtorch that you have";
  const python = which('python3', env) ?? which('python', env);
  if (!python)
    throw new Problem(
      `No Python 3 was found (tried python3, python on PATH), and set-up needs it to fetch libtorch: ${remedy}.`,
    );
  const probe = 'import sys; print("%d.%d" % sys.version_info[:2]); import venv, ensurepip';
  const { code, stdout, output } = await run(python, ['-c', probe], { env });
  const version = /^\d+\.\d+/.exec(stdout)?.[0];
  if (!version) throw new Problem(`${python} does not run (${lastLine(output)}): ${remedy}.`);
  const [major, minor] = version.split('.').map(Number);
  if (major < kPythonAtLeast[0] || (major === kPythonAtLeast[0] && minor < kPythonAtLeast[1])) {
    throw new Problem(
      `Espalier needs Python ${kPythonAtLeast.join('.')} or later to fetch libtorch, but ${python} is ${version}: ${remedy}.`,
    );
  }
  if (code !== 0)
    throw new Problem(`${python} (${version}) lacks the venv module (${lastLine(output)}): ${remedy}.`);
  return python;
}

const lastLine = (text) => text.trim().split('\n').at(-1) || 'no output';

// `folder` need not exist yet: its nearest existing parent is asked.
export function checkDisk(folder, neededBytes, purpose) {
  let place = folder;
  while (!fs.existsSync(place)) place = path.dirname(place);
  const { bavail, bsize } = fs.statfsSync(place);
  const free = bavail * bsize;
  if (free >= neededBytes) return;
  throw new Problem(
    `${purpose} needs ${size(neededBytes)} of free disk under ${place}, but ${size(free)} is free: free some, or move the folder to a larger disk.`,
  );
}
