import fs from 'node:fs';
import path from 'node:path';
import { checkDisk, findPython } from './lib/checks.mjs';
import { findCuda } from './lib/cuda.mjs';
import { writeKernelTable } from './lib/kernelTable.mjs';
import * as libtorch from './lib/libtorch.mjs';
import * as native from './lib/native.mjs';
import { inRoot } from './lib/paths.mjs';
import { ensureTools } from './lib/prepare.mjs';
import { main, Problem } from './lib/problem.mjs';
import { run } from './lib/process.mjs';
import { step } from './lib/steps.mjs';
import * as python from './lib/venv.mjs';

// Builds the CUDA kernels against a libtorch with CUDA, in folders of its own, and loads them into its Python;
// on a machine with a GPU, also runs them there. --table: then writes docs/cuda.md.
// What is missing is said, and is no failure: .ci/run does this where it can be done.
const kTorch = '2.14.1';
const kDiskBytes = 12e9;
const folder = inRoot('.venv-cuda');
const output = inRoot('build/cuda');

await main(async () => {
  const found = await ensureCudaTorch();
  if (typeof found === 'string') return leaveOut(found);
  const cuda = await findCuda(found);
  if (!cuda.nvcc) return leaveOut(cuda.problem);
  const tools = {
    ...(await ensureTools()),
    libtorch: found,
    cuda,
    output,
    folder: path.join(output, 'cmake'),
  };
  await step(
    `Building the CUDA kernels with CUDA ${cuda.release} and libtorch ${found.version}`,
    async () => {
      await native.configure(tools);
      await native.build({
        ...tools,
        targets: ['espalier_ops', 'espalier_ops_cuda', 'espalier_cuda_traffic'],
      });
    },
  );
  await tryInPython();
  if (process.argv.includes('--table')) await writeKernelTable(tools);
});

function leaveOut(reason) {
  console.log(`The CUDA build was left out: ${reason}.`);
}

// A libtorch with CUDA, or why there is none.
async function ensureCudaTorch() {
  const named = await libtorch.named();
  if (named?.variant === 'cuda') return named;
  if (!python.has(folder, `torch==${kTorch}`)) {
    try {
      checkDisk(folder, kDiskBytes, `The CUDA wheel of torch ${kTorch}`);
      const base = await findPython();
      await step(`Fetching torch ${kTorch} into ${path.basename(folder)}`, async () => {
        await python.create(folder, base);
        await python.install(folder, [`torch==${kTorch}`]);
      });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return error.message.split('\n')[0].replace(/\.$/, '');
    }
  }
  const [lib] = fs.readdirSync(path.join(folder, 'lib'));
  return libtorch.inspect(path.join(folder, 'lib', lib, 'site-packages/torch'), path.basename(folder));
}

async function tryInPython() {
  const libraries = ['libespalier_ops.so', 'libespalier_ops_cuda.so'].map((name) =>
    path.join(output, 'Release', name),
  );
  for (const mode of ['load', 'compare']) {
    const args = [inRoot('test/parity/cuda_kernels.py'), mode, ...libraries];
    const { code, output: said } = await run(python.python(folder), args, { deadlineMs: 300_000 });
    console.log(said.trimEnd().replace(/^/gm, '  '));
    if (code !== 0) throw new Problem(`The CUDA kernels failed in Python (${mode}).`);
    if (mode === 'compare') record(said);
  }
}

// When each operator last ran on a GPU, and on which: docs/cuda.md shows it.
function record(said) {
  // Python's warnings may come before.
  const first = said.split('\n').find((line) => line.startsWith('{'));
  if (!first) return;
  const file = inRoot('docs/cuda-runs.json');
  const runs = JSON.parse(fs.readFileSync(file, 'utf8'));
  const { gpu } = JSON.parse(first);
  const date = new Date().toISOString().slice(0, 10);
  for (const [, name] of said.matchAll(/^ok (\w+)$/gm)) runs[name] = { gpu, date };
  fs.writeFileSync(file, `${JSON.stringify(runs, null, 2)}\n`);
}
