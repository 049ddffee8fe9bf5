import path from 'node:path';
import * as assert from 'uvu/assert';
import { runChild } from '../support/child.js';
import { root } from '../support/paths.js';
import { test } from '../support/test.js';

test(
  'forgotten models are collected: memory stays bounded over 300 handles',
  async () => {
    const child = path.join(root, 'dist/test/process/children/collect.js');
    const result = await runChild(child, [], { execArgv: ['--expose-gc'], deadlineMs: 100_000 });
    assert.is(result.code, 0, result.stderr);
    const { handles, weight, before, peak } = JSON.parse(result.stdout) as Record<string, number>;
    assert.ok(weight! > 3, `a model weighs ${weight} MB`);
    const grown = peak! - before!;
    assert.ok(
      grown < (handles! * weight!) / 2,
      `${grown.toFixed(0)} MB for ${handles} models of ${weight!.toFixed(1)} MB`,
    );
  },
  { timeoutMs: 110_000 },
);

test.run();
