import fs from 'node:fs';
import path from 'node:path';
import { filesBelow, inRoot, nativeBuild, root } from './paths.mjs';
import { run } from './process.mjs';
import { digest } from './stamp.mjs';

// clang-tidy takes half a minute a file, most of it for torch's headers: what passed is remembered by content,
// and a run stops starting files when its time is spent.

const cache = inRoot('.cache/clang-tidy');
const kFileMs = 300_000;

export async function tidy({ program, version, budgetMs }) {
  const database = writeDatabase();
  const configurations = ['.clang-tidy', 'native/kernels/cuda/.clang-tidy'].map((name) =>
    fs.readFileSync(inRoot(name), 'utf8'),
  );
  const shared = [...configurations, version, database.flags];
  const files = database.files.map((file) => ({ file, key: digest([file, ...headersOf(file)], shared) }));
  const isKnown = ({ key }) => fs.existsSync(path.join(cache, key));
  // Where not all fit, other files come first whenever anything changes: in time each has its turn.
  const all = digest(
    [],
    files.map(({ key }) => key),
  );
  const queue = files.filter((entry) => !isKnown(entry)).sort((a, b) => order(all, a) - order(all, b));
  const result = { known: files.length - queue.length, checked: 0, failures: [], leftOut: [] };
  const end = performance.now() + budgetMs;
  const worker = async () => {
    for (let entry = queue.shift(); entry; entry = queue.shift()) {
      if (performance.now() > end) result.leftOut.push(path.relative(root, entry.file));
      else await check(entry, database.folder, program, result);
    }
  };
  await Promise.all([worker(), worker()]);
  return result;
}

const order = (salt, { file }) => Number.parseInt(digest([], salt, file).slice(0, 8), 16);

async function check({ file, key }, folder, program, result) {
  const { code, output, timedOut } = await run(program, ['-p', folder, '--quiet', file], {
    deadlineMs: kFileMs,
  });
  result.checked += 1;
  if (code === 0) {
    fs.mkdirSync(cache, { recursive: true });
    fs.writeFileSync(path.join(cache, key), '');
  } else {
    const failure = timedOut ? `${file}: clang-tidy did not end within ${kFileMs / 1000} s` : output.trim();
    // At once: a run over all files takes half an hour.
    console.log(failure);
    result.failures.push(path.relative(root, file));
  }
}

// The compile commands of GCC, made fit for clang: our precompiled header as a plain one, no OpenMP, whose
// header clang-tidy does not bring, and no warning that clang does not know.
function writeDatabase() {
  const folder = path.join(cache, 'database');
  const header = inRoot('native/core/pch.h');
  const commands = JSON.parse(fs.readFileSync(path.join(nativeBuild, 'compile_commands.json'), 'utf8'))
    // Tests are left out: they would take half the time, and the compiler's warnings are errors in them too.
    .filter(({ file }) => file.startsWith(inRoot('native')) && !file.endsWith('.hxx.cxx'))
    .map((entry) => ({
      ...entry,
      command: entry.command
        .replace(/ -Winvalid-pch -include \S+/, ` -include ${header}`)
        .replace(/ -(fpch-preprocess|fopenmp|Wno-maybe-uninitialized)\b/g, ''),
    }));
  // A file built once for each instruction set is checked as its last build.
  const entries = [...new Map(commands.map((entry) => [entry.file, entry])).values()];
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'compile_commands.json'), JSON.stringify(entries));
  const flags = [
    ...new Set(entries.map(({ command }) => command.replace(/ -o .*/, '').replaceAll(root, ''))),
  ];
  return { folder, flags, files: entries.map(({ file }) => file) };
}

// The project's headers that a file includes, directly or not.
function headersOf(file, seen = new Set([inRoot('native/core/pch.h')])) {
  for (const [, name] of fs.readFileSync(file, 'utf8').matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
    const header = [path.resolve(path.dirname(file), name), inRoot('native', name)].find((place) =>
      fs.existsSync(place),
    );
    if (!header || seen.has(header)) continue;
    seen.add(header);
    headersOf(header, seen);
  }
  return [...seen].sort();
}

export const formatted = () =>
  ['native', 'test/native'].flatMap((folder) => filesBelow(inRoot(folder), ['.cc', '.h', '.cu', '.cuh']));
