import * as assert from 'uvu/assert';
import { crash } from '../../reliability/crash/crash.js';
import { test } from '../support/test.js';

// The short form of `npm run crash`.

test(
  'runs that are killed and resumed end with the bytes of those that nobody stopped',
  async () => {
    const { tallies } = await crash({
      subjects: [
        { recipe: 'prune.learnedThreshold', length: 4, everySteps: 3 },
        { recipe: 'authorize.maskPruning:sourceAvailable', length: 2, everySteps: 2 },
      ],
      count: 6,
      seed: 1,
      minutes: 1,
    });
    for (const { recipe, mismatches, failures, checkpoints } of tallies) {
      assert.is(mismatches, 0, recipe);
      assert.equal(failures, [], recipe);
      assert.ok(checkpoints > 3, `${recipe} wrote ${checkpoints} checkpoints`);
    }
    assert.is(
      tallies.reduce((sum, { kills }) => sum + kills, 0),
      6,
    );
  },
  { timeoutMs: 90_000 },
);

test.run();
