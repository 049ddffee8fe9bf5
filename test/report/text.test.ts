import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { renderMarkdown, renderTable } from '../../lib/report/index.js';
import { envelope, evaluation, matrix, pruning, training, unknown } from './samples.js';

const plain = { width: 80, color: false };
const linesOf = (text: string) => text.split('\n');

test('the matrix stands in columns, intervals below the numbers', () => {
  const lines = linesOf(renderTable(matrix, plain));
  const start = lines.indexOf('Accuracy');
  assert.equal(lines.slice(start + 1, start + 4), [
    'Model                 mnist     optdigits       mnist-m           syn',
    'convnet              97.60%        68.80%        51.50%        31.90%',
    '               96.40–98.70%  67.60–69.90%  50.30–52.60%  30.70–33.00%',
  ]);
});

test('a pruning says what was cut, in words and by layer', () => {
  const text = renderTable(pruning, plain);
  assert.match(text, 'Magnitude pruning to 90.83%');
  assert.match(text, '219,562 of the 241,760 prunable weights');
  assert.match(text, /features\.0\.conv +864 +221 +25\.58% +0\.03120/);
  assert.match(text, 'Warning: other threads than those of the checkpoint');
});

test('no line is wider than the terminal', () => {
  for (const width of [40, 60, 80, 120]) {
    const text = renderTable([matrix, training, pruning, evaluation, unknown], { width, color: false });
    for (const line of linesOf(text)) assert.ok([...line].length <= width, `${width}: ${line}`);
  }
});

test('colour is on when asked for, and off where standard output is no terminal', () => {
  assert.match(renderTable(matrix, { width: 80, color: true }), '\u001b[1m');
  assert.not.match(renderTable(matrix, plain), '\u001b');
  if (!process.stdout.isTTY) assert.not.match(renderTable(matrix), '\u001b');
});

test('control characters in names do not reach the terminal', () => {
  const evil = '\u001b]0;owned\u0007\u001b[31mred\u202e';
  const report = envelope(
    'evaluate.domains',
    { ...matrix.figures, models: [evil, 'b', 'c'] },
    { warnings: [evil] },
  );
  for (const line of linesOf(renderTable(report, plain))) assert.not.match(line, /[\p{Cc}\p{Cf}]/u);
});

test('figures that nobody knows are shown all the same', () => {
  const text = renderTable(unknown, plain);
  assert.match(text, /Target drop +62\.00%/);
  assert.match(text, /Verdict +authorised yes, statistic 12\.50/);
  assert.match(text, /1,100 +93\.00%/);
});

test('a table of Markdown has one row a line and no HTML', () => {
  const report = envelope('evaluate.domains', { ...matrix.figures, models: ['a|b', '<b>', 'c'] });
  const text = renderMarkdown(report);
  assert.match(text, '| a\\|b | 97.60% (96.40–98.70%) |');
  assert.match(text, '| &lt;b&gt; |');
  assert.match(text, '| Model | mnist | optdigits | mnist-m | syn |\n| :--- | ---: | ---: | ---: | ---: |');
});

test.run();
