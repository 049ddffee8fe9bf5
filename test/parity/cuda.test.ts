import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { runCommand } from '../support/child.js';
import { root } from '../support/paths.js';
import { test } from '../support/test.js';

// The CUDA kernels against the CPU, where they were built and there is a GPU: by the Python of the libtorch that
// they were built with.
const kDeadlineMs = 240_000;
const release = path.join(root, 'build/Release');
const operators = path.join(release, 'libespalier_ops.so');
const kernels = path.join(release, 'libespalier_ops_cuda.so');

function pythonOfBuild(): string | undefined {
  const { libtorch } = JSON.parse(fs.readFileSync(path.join(release, 'build-info.json'), 'utf8'));
  const python = path.resolve(libtorch, '../../../../bin/python');
  return fs.existsSync(python) ? python : undefined;
}

async function runKernels(python: string, mode: string): Promise<string> {
  const script = path.join(root, 'test/parity/cuda_operators.py');
  const args = [script, mode, operators, kernels];
  const { code, stdout, stderr } = await runCommand(python, args, {
    env: process.env,
    deadlineMs: kDeadlineMs,
  });
  assert.is(code, 0, `${stdout}${stderr}`);
  return stdout;
}

const python = fs.existsSync(kernels) ? pythonOfBuild() : undefined;
if (!fs.existsSync(kernels)) {
  test.skip('the CUDA kernels are not built (libtorch has no CUDA, or there is no nvcc)');
} else if (python === undefined) {
  test.skip('the libtorch of the build belongs to no Python');
} else {
  test(
    'the CUDA library loads beside that of the operators, on a machine with or without a GPU',
    async () => {
      assert.match(await runKernels(python, 'load'), /^ok 17 operators/m);
    },
    { timeoutMs: kDeadlineMs },
  );

  test(
    'every operator gives on a GPU what it gives on the CPU',
    async () => {
      const output = await runKernels(python, 'compare');
      if (output.startsWith('skipped: ')) test.skip(output.slice('skipped: '.length).trim());
      else assert.is(output.match(/^ok /gm)?.length, 17);
    },
    { timeoutMs: kDeadlineMs },
  );
}

test.run();
