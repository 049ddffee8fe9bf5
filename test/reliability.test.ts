import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { root } from './support/paths.js';
import { test } from './support/test.js';

const { withFigures } = await import(pathToFileURL(path.join(root, 'scripts/lib/reliability.mjs')).href);

const page = (name: string) => `before\n<!-- figures ${name} -->\nold\n<!-- /figures -->\nafter\n`;
const machine = { cpu: 'a processor', cores: 2, node: 'v20', versions: { libtorch: '2.13.0' } };

test('promises of several rounds become one table, and what is around the marks stays', () => {
  const phases = [false, true].map((holds) => ({
    title: 'small jobs',
    figures: { done: 1000 },
    promises: [{ text: 'memory is flat', measured: '1, 2 MB', holds }],
  }));
  const figures = {
    name: 'soak',
    command: 'npm run soak',
    date: 'today',
    machine,
    seed: 1,
    seconds: 60,
    phases,
  };
  assert.is(
    withFigures(page('soak'), () => figures),
    [
      'before',
      '<!-- figures soak -->',
      '`npm run soak`; today; a processor, 2 cores; Node v20; libtorch 2.13.0; seed 1; 60 s.',
      '',
      '| what, in all | promise | measured in the first round | held |',
      '| --- | --- | --- | --- |',
      '| 2,000 small jobs | memory is flat | 1, 2 MB | **1 of 2** |',
      '<!-- /figures -->',
      'after',
      '',
    ].join('\n'),
  );
});

test('plain figures, counts by two names, and lists', () => {
  const figures = {
    date: 'today',
    machine,
    seed: 7,
    seconds: 600,
    files: 20000,
    counts: { archive: { opened: 3, ERR_MODEL_LOAD: 5 }, npy: { opened: 1 } },
    findings: [],
    methods: [
      { recipe: 'train.supervised', kills: 12 },
      { recipe: 'prune.magnitude', kills: 3 },
    ],
  };
  const made = withFigures(page('fuzz'), () => figures) as string;
  assert.match(
    made,
    '`npm run fuzz`; today; a processor, 2 cores; Node v20; libtorch 2.13.0; seed 7; 10 minutes.',
  );
  assert.match(made, '| files | 20,000 |\n| findings | none |');
  assert.match(made, '| counts | opened | ERR_MODEL_LOAD |');
  assert.match(made, '| npy | 1 | 0 |');
  assert.match(made, '| methods | recipe | kills |\n| --- | --- | --- |\n| 1 | train.supervised | 12 |');
});

test('what was not measured yet says so', () => {
  assert.match(
    withFigures(page('crash'), () => undefined),
    'Not measured yet: `npm run crash`.',
  );
});

test.run();
