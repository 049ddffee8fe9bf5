import path from 'node:path';
import * as assert from 'uvu/assert';
import { runChild } from '../support/child.js';
import { root } from '../support/paths.js';
import { test } from '../support/test.js';

test(
  'the event loop stays free, and another model answers, while a run trains',
  async () => {
    const child = path.join(root, 'dist/test/process/children/lag.js');
    const result = await runChild(child, [], { deadlineMs: 80_000 });
    assert.is(result.code, 0, result.stderr);
    const { idle, training, medianAnswerMs, slowestAnswerMs } = JSON.parse(result.stdout) as {
      idle: { p99: number; max: number };
      training: { p99: number; max: number };
      medianAnswerMs: number;
      slowestAnswerMs: number;
    };
    const ms = (value: number) => `${value.toFixed(2)} ms`;
    console.log(
      `event loop p99: idle ${ms(idle.p99)}, training ${ms(training.p99)}; forward beside it: median ${ms(medianAnswerMs)}, slowest ${ms(slowestAnswerMs)}`,
    );
    assert.ok(training.p99 < 10, `p99 while training is ${ms(training.p99)}`);
  },
  { timeoutMs: 90_000 },
);

test.run();
