import path from 'node:path';
import { configure } from './native.mjs';
import { inRoot, root, venv } from './paths.mjs';
import { ensurePython, ensureTools } from './prepare.mjs';
import { run } from './process.mjs';
import { seconds } from './steps.mjs';
import { formatted, tidy } from './tidy.mjs';

const kClangFormat = 'clang-format==23.1.5';
const kClangTidy = 'clang-tidy==23.1.4';

// Biome, clang-format and clang-tidy; each gives { title, passed }. `fix` writes what the formatters can.
export async function lint({ fix, budgetMs }) {
  const tools = await ensureTools();
  await ensurePython([kClangFormat, kClangTidy]);
  return [
    await check('Biome', () => biome(fix)),
    await check('clang-format', () => clangFormat(fix)),
    ...(fix ? [] : [await check('clang-tidy', () => clangTidy(tools, budgetMs))]),
  ];
}

// `body` gives { passed, note, output }.
async function check(title, body) {
  const start = performance.now();
  const { passed, note, output } = await body();
  console.log(
    `${passed ? 'ok' : 'FAILED'} ${title} (${[note, seconds(performance.now() - start)].filter(Boolean).join(', ')})`,
  );
  if (output) console.log(output);
  return { title, passed };
}

async function biome(fix) {
  const program = inRoot('node_modules/@biomejs/biome/bin/biome');
  const args = [
    program,
    fix ? 'check' : 'ci',
    '--colors=off',
    ...(fix ? ['--fix'] : []),
    '--error-on-warnings',
    '.',
  ];
  const { code, output } = await run(process.execPath, args, { cwd: root });
  return { passed: code === 0, output: code === 0 ? '' : output };
}

async function clangFormat(fix) {
  const files = formatted();
  const args = fix ? ['-i'] : ['--dry-run', '--Werror'];
  const { code, output } = await run(path.join(venv, 'bin/clang-format'), [...args, ...files], { cwd: root });
  return { passed: code === 0, note: `${files.length} files`, output };
}

async function clangTidy(tools, budgetMs) {
  await configure(tools);
  const { known, checked, failures, leftOut } = await tidy({
    program: path.join(venv, 'bin/clang-tidy'),
    version: kClangTidy,
    budgetMs,
  });
  const lines = leftOut.length > 0 ? [`left out for want of time: ${leftOut.sort().join(', ')}`] : [];
  return {
    passed: failures.length === 0,
    note: `${checked} files checked, ${known} known to pass, ${leftOut.length} left out`,
    output: [...(failures.length > 0 ? [`findings in: ${failures.sort().join(', ')}`] : []), ...lines].join(
      '\n',
    ),
  };
}
