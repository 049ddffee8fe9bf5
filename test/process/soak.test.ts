import * as assert from 'uvu/assert';
import { runPhase } from '../../reliability/soak/index.js';
import { phases } from '../../reliability/soak/promises.js';
import { test } from '../support/test.js';

// The short form of `npm run soak`: the same phases with smaller counts.

const counts: { [name: string]: number } = { jobs: 100, cycles: 100, dropped: 24 };

for (const phase of phases) {
  const count = counts[phase.name];
  if (count === undefined) continue;
  test(
    `${count} ${phase.title}: every promise holds`,
    async () => {
      const { figures, promises } = await runPhase(phase, { count, seed: 7, seconds: 100 });
      assert.is(figures.done, count);
      for (const { text, measured, holds } of promises) assert.ok(holds, `${text}: ${measured}`);
    },
    { timeoutMs: 170_000 },
  );
}

test.run();
