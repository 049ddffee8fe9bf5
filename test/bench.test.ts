import * as assert from 'uvu/assert';
import { contest, contests, table } from '../bench/contest.js';
import { findPython } from './support/paths.js';
import { test } from './support/test.js';

if (findPython() === undefined) {
  test.skip('the contests of the operators with PyTorch: there is no Python with torch');
} else {
  for (const name of contests) {
    test(
      `${name} runs in a small size, and its sides agree`,
      async () => {
        const outcome = await contest(name, { trials: 1, threads: 1, tiny: true });
        assert.ok(outcome.agreement.difference <= outcome.agreement.tolerance);
        assert.ok(outcome.sides.ours);
        assert.ok(Object.keys(outcome.sides).length >= 3);
        for (const [side, { median, ratio, rounds }] of Object.entries(outcome.sides)) {
          assert.ok(rounds.length > 0 && median > 0 && ratio > 0, side);
          assert.ok(table(outcome).includes(`\n  ${side} `), side);
        }
        assert.is(outcome.sides.ours?.ratio, 1);
      },
      { timeoutMs: 120_000 },
    );
  }
}

test.run();
