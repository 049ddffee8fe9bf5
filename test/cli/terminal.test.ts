import * as assert from 'uvu/assert';
import { progressLine } from '../../lib/cli/terminal.js';
import { kebab, quoted } from '../../lib/cli/usage.js';
import { test } from '../support/test.js';

const progress = {
  method: 'train.supervised',
  phase: 'fit',
  step: 42,
  steps: 100,
  fraction: 0.42,
  elapsedMs: 58_000,
  etaMs: 80_000,
  samplesPerSecond: 12_345.6,
  metrics: { loss: 0.123456, selectAccuracy: 0.9876 },
};

test('the bar tells phase, share, time left, metrics and speed', () => {
  assert.is(
    progressLine(progress, 200),
    'fit ██████████░░░░░░░░░░░░░░ 42% · 1 min 20 s left · loss 0.1235 · selectAccuracy 98.76% · 12,346 samples/s',
  );
});

test('a narrow terminal drops the last things, never half of one', () => {
  assert.is(progressLine(progress, 60), 'fit ██████████░░░░░░░░░░░░░░ 42% · 1 min 20 s left');
  assert.is(progressLine(progress, 10), 'fit ██████████░░░░░░░░░░░░░░ 42%');
});

test('no time left is told while none is known', () => {
  assert.not.match(progressLine({ ...progress, etaMs: null }, 200), 'left');
});

test('names of the API become words of the command line', () => {
  assert.is(kebab('nonTransferablePruning'), 'non-transferable-pruning');
  assert.is(kebab('fineTune'), 'fine-tune');
  assert.is(kebab('sparsity'), 'sparsity');
});

test('an argument is quoted where a shell would change it', () => {
  assert.is(quoted('model.pt'), 'model.pt');
  assert.is(quoted('a b'), "'a b'");
  assert.is(quoted("it's"), `'it'\\''s'`);
  assert.is(quoted('{"n":2}'), `'{"n":2}'`);
  assert.is(quoted(''), "''");
});

test.run();
