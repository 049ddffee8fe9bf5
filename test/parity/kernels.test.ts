import * as assert from 'uvu/assert';
import { findPython } from '../support/paths.js';
import { test } from '../support/test.js';
import { runPython } from './programs.js';

const timeoutMs = 240_000;

// Each is a script of unittest cases under kernels/; it ends with an error when one fails.
const topics = {
  ltp: 'learned thresholds: vectors, float64, finite differences, threshold rules, masks',
  masked_step: 'masked SGD, Adam and AdamW against torch.optim over 100 steps, with and without masks',
  scores: 'score masks: effective weight, straight-through gradient, Adam on the scores',
  admm: 'ADMM: penalty, soft threshold, projection, dual, and their autograd forms',
  selection: 'exact selection against a stable sort: ties, limits, n of m, misled samples',
  norm: 'batch norm, relu and pooling in one: float64, running statistics, refusals, threads, NaN',
  checks: 'what operators refuse by name, meta shapes, statistics, the differentiable gate',
  determinism: 'the same bits for any number of threads, for AVX2 and for AVX-512',
};

// Of the weights' bytes.
const kWorkspace = 0.02;

if (findPython() === undefined) {
  test.skip('the kernels against PyTorch: there is no Python with torch');
} else {
  for (const [topic, sentence] of Object.entries(topics)) {
    test(
      sentence,
      async () => {
        const output = await runPython(`kernels/${topic}.py`, []);
        assert.match(output, /^Ran [1-9]\d* tests? in /m);
        assert.match(output, /^OK$/m);
      },
      { timeoutMs },
    );
  }

  test(
    'selection among 30 million weights needs less than 2 % of their bytes beside the masks',
    async () => {
      const count = 30_000_000;
      for (const [threads, share] of [
        [1, 0.9],
        [2, 0.5],
      ]) {
        const output = await runPython('kernels/workspace.py', [`${count}`, `${threads}`, `${share}`]);
        const [threshold, selection] = JSON.parse(output) as [number, number];
        assert.ok(threshold > 0, 'what is measured was not seen');
        const most = kWorkspace * count * 4;
        assert.ok(Math.max(threshold, selection) < most, `${output} bytes, ${threads} threads, ${share} cut`);
      }
    },
    { timeoutMs },
  );
}

test.run();
