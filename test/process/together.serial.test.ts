import * as assert from 'uvu/assert';
import { runPhase } from '../../reliability/soak/index.js';
import { phases } from '../../reliability/soak/promises.js';
import { test } from '../support/test.js';

test(
  'eight runs at once queue or work side by side, the event loop stays free, one is cancelled alone',
  async () => {
    const phase = phases.find(({ name }) => name === 'together')!;
    const { promises } = await runPhase(phase, { count: 8, seed: 1, seconds: 60 });
    for (const { text, measured } of promises) console.log(`${text}: ${measured}`);
    for (const { text, measured, holds } of promises) assert.ok(holds, `${text}: ${measured}`);
  },
  { timeoutMs: 130_000 },
);

test.run();
