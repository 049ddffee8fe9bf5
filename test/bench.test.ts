import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { cases, OURS } from '../bench/cases/index.js';
import { contest, contests } from '../bench/contest.js';
import { race } from '../bench/race.js';
import { table } from '../bench/sides.js';
import { findPython, root } from './support/paths.js';
import { test } from './support/test.js';

const setting = { threads: 1, device: 'cpu', size: 'short', trials: 1 } as const;

if (findPython() === undefined) {
  test.skip('the races against PyTorch: there is no Python with torch');
} else {
  for (const each of contests.filter(({ args }) => args.length === 0 || args.includes('25'))) {
    test(
      `${each.name} runs in a small size, and its sides agree`,
      async () => {
        const outcome = await contest(each, setting, { tiny: true });
        assert.ok(outcome.agreement.difference <= outcome.agreement.tolerance);
        assert.ok(outcome.sides.ours);
        assert.ok(Object.keys(outcome.sides).length >= 3);
        for (const [side, { median, ratio, rounds }] of Object.entries(outcome.sides)) {
          assert.ok(rounds.length > 0 && median > 0 && ratio > 0, side);
          assert.ok(table(outcome).includes(`\n  ${side} `), side);
        }
        for (const side of Object.keys(each.goals))
          assert.ok(outcome.sides[side] ?? outcome.leftOut[side], `no side ${side} that a goal is set for`);
        assert.is(outcome.sides.ours?.ratio, 1);
      },
      { timeoutMs: 120_000 },
    );
  }

  test(
    'a race from Node has a process a trial, and a figure only where the sides agree',
    async () => {
      const each = cases.find(({ name }) => name === 'start');
      assert.ok(each);
      const outcome = await race(each, setting);
      assert.is(outcome.sides[OURS]?.ratio, 1);
      assert.ok((outcome.sides['import torch']?.peakMegabytes ?? 0) > 0);
      let caught: unknown;
      await race({ ...each, difference: () => 1 }, setting).catch((error: unknown) => {
        caught = error;
      });
      assert.match(String(caught), /the sides differ by 1/);
    },
    { timeoutMs: 120_000 },
  );
}

test('every side that a goal is set for takes part', () => {
  for (const { name, sides, goals } of cases)
    for (const side of Object.keys(goals)) assert.ok(sides[side], `${name}: ${side}`);
});

const { mergeBenchmarks } = await import(pathToFileURL(path.join(root, 'scripts/lib/benchmarks.mjs')).href);

test('what did not run keeps its figures, what failed has none', () => {
  const of = (...races: { name: string; at?: string }[]) => ({
    machine: { cpu: 'one' },
    races,
    readings: [],
  });
  const before = of({ name: 'a', at: 'then' }, { name: 'b', at: 'then' }, { name: 'c', at: 'then' });
  const now = { ...of({ name: 'b', at: 'now' }, { name: 'd', at: 'now' }), failed: ['c'] };
  assert.equal(mergeBenchmarks(before, now), {
    ...of({ name: 'a', at: 'then' }, { name: 'b', at: 'now' }, { name: 'd', at: 'now' }),
  });
});

test('the page is about the machine that measured most; another stands behind it', () => {
  const of = (cpu: string, ...names: string[]) => ({
    machine: { cpu },
    races: names.map((name) => ({ name })),
    readings: [],
  });
  const [one, other] = [of('one', 'a', 'b'), of('other', 'a')];
  assert.equal(mergeBenchmarks(undefined, one), one);
  assert.equal(mergeBenchmarks(one, other), { ...one, elsewhere: [other] });
  assert.equal(mergeBenchmarks({ ...one, elsewhere: [other] }, of('other', 'b')), {
    ...of('other', 'a', 'b'),
    elsewhere: [one],
  });
  assert.equal(mergeBenchmarks({ ...other, elsewhere: [one] }, of('third', 'a')).elsewhere.length, 2);
});

test.run();
