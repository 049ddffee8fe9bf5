import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from './problem.mjs';
import { must, run } from './process.mjs';
import { size } from './steps.mjs';

// A virtual environment of pinned packages. pip's own configuration (index, proxy, certificates, find-links)
// is honoured: pip is called as it is.

export const python = (venv) => path.join(venv, 'bin/python');

// Whether a pinned requirement ('name==version', or a bare name) is there, without starting Python.
export function has(venv, requirement) {
  const [name, version] = requirement.split('==');
  const normal = (text) => text.toLowerCase().replaceAll('-', '_');
  const lib = path.join(venv, 'lib');
  if (!fs.existsSync(lib)) return false;
  return fs
    .readdirSync(lib)
    .map((folder) => path.join(lib, folder, 'site-packages'))
    .filter((folder) => fs.existsSync(folder))
    .flatMap((folder) => fs.readdirSync(folder))
    .some((entry) => {
      const [, found, its] = /^(.+?)-([^-]+)\.dist-info$/.exec(entry) ?? [];
      return found && normal(found) === normal(name) && (!version || its.split('+')[0] === version);
    });
}

export async function create(venv, basePython) {
  if (fs.existsSync(python(venv))) return;
  if (fs.existsSync(venv)) {
    throw new Problem(
      `${venv} exists but holds no Python (bin/python): remove it or repair it, and run this again.`,
    );
  }
  await must('Making the virtual environment', basePython, ['-m', 'venv', venv]);
}

// Says what pip would fetch, then lets it.
export async function install(venv, requirements) {
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--no-input'];
  for (const line of await plan(venv, pip, requirements)) console.log(`  ${line}`);
  await must(`Installing ${requirements.join(', ')}`, python(venv), [
    ...pip,
    'install',
    '--quiet',
    ...requirements,
  ]);
}

async function plan(venv, pip, requirements) {
  const report = path.join(venv, 'espalier-plan.json');
  const { code } = await run(python(venv), [
    ...pip,
    'install',
    '--dry-run',
    '--quiet',
    '--report',
    report,
    ...requirements,
  ]);
  // pip before 22.2 knows no --report; what is asked for is known all the same.
  if (code !== 0)
    return [`to fetch: ${requirements.join(', ')} and what they need (sizes unknown: this pip cannot tell)`];
  const packages = JSON.parse(fs.readFileSync(report, 'utf8')).install;
  fs.rmSync(report);
  const sized = await Promise.all(
    packages.map(async ({ metadata, download_info }) => ({
      name: `${metadata.name} ${metadata.version}`,
      from: new URL(download_info.url).host || 'a local folder',
      bytes: await sizeOf(download_info.url),
    })),
  );
  return sized.map(
    ({ name, from, bytes }) =>
      `to fetch: ${name} (${bytes === undefined ? 'size unknown' : size(bytes)}) from ${from}`,
  );
}

async function sizeOf(url) {
  try {
    if (url.startsWith('file:')) return fs.statSync(fileURLToPath(url)).size;
    const answer = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(5000) });
    return answer.ok ? Number(answer.headers.get('content-length')) || undefined : undefined;
  } catch {
    return undefined;
  }
}
