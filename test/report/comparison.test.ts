import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { renderHtml, renderMarkdown, renderTable } from '../../lib/report/index.js';
import { authorization, matrix, training } from './samples.js';

// Models that were bound in several ways, side by side.

const plain = { width: 100, color: false };
const countOf = (text: string, piece: string) => text.split(piece).length - 1;

const pruned = authorization();
const learned = authorization({ method: 'authorize.nonTransferableLearning' });
const masked = authorization({
  method: 'authorize.maskPruning',
  targetAfter: 0.24,
  data: { source: 60000, target: 59001, targetLabels: false },
  seconds: null,
  revocable: true,
});
const three = [pruned, learned, masked];

// The lines of the one table, each without its label.
function rowsOf(text: string): Map<string, string[]> {
  const [, after = ''] = text.split('\nSide by side\n');
  const lines = (after.split('\n\n')[0] ?? '').split('\n');
  const cells = (line: string) => line.trim().split(/ {2,}/);
  const names = cells(lines[0] ?? '');
  return new Map([
    ['', names],
    ...lines.slice(1).map((line): [string, string[]] => {
      const [label = '', ...values] = cells(line);
      return [label, values];
    }),
  ]);
}

test('three authorization reports have one table of all three, above them', () => {
  const text = renderTable(three, plain);
  assert.is(countOf(text, 'Side by side'), 1);
  assert.ok(text.startsWith('3 ways to bind a model to mnist\n'));
  assert.is(countOf(text, 'What the protected model is worth on mnist-m'), 3);
  const rows = rowsOf(text);
  const row = (label: string) => rows.get(label) ?? [];
  assert.equal(row(''), ['nonTransferablePruning', 'nonTransferableLearning', 'maskPruning']);
  assert.equal(row('Verdict'), ['holds', 'holds', 'holds']);
  assert.equal(row('Source, no training')[0], '98.10% to 96.90%');
  assert.equal(row('Source lost')[0], '1.2 points');
  assert.equal(row('Source lost, 95% interval')[0], '0.2 to 2.2 points');
  assert.equal(row('Target, no training')[2], '48.00% to 24.00%');
  assert.equal(row('Target lost, share'), ['75.00%', '75.00%', '50.00%']);
  assert.equal(row('SLC-AUC, zeros held')[0], '-1.250');
  assert.equal(row('SLC-AUC, zeros released')[0], '0.3750');
  assert.equal(row('SLC-AUC, unprotected'), ['2.500', '2.500', '2.500']);
  assert.equal(row('SLC-AUC held, terms off')[1], '1.500');
  assert.equal(row('SLC-AUC released, terms off')[1], '1.750');
  assert.equal(row('Images of the source')[1], '60,000');
  assert.equal(row('Labels of the target'), ['needed', 'needed', 'not needed']);
  assert.equal(row('Time to protect'), ['1 min 02 s', '1 min 02 s', '–']);
  assert.equal(row('Can be taken back'), ['no', 'no', 'by a key']);
});

test('one report alone has the same figures and no comparison', () => {
  const text = renderTable(authorization(), plain);
  assert.is(countOf(text, 'Side by side'), 0);
  assert.match(text, /What the binding keeps, takes and needs\nSource, no training +98\.10% to 96\.90%/);
});

test('only what was judged on the same domains is compared, among whatever else there is', () => {
  const elsewhere = authorization({ target: 'svhn' });
  assert.is(countOf(renderTable([authorization(), elsewhere], plain), 'Side by side'), 0);
  const text = renderTable([training, pruned, elsewhere, matrix, masked], plain);
  assert.equal(rowsOf(text).get(''), ['nonTransferablePruning', 'maskPruning']);
  assert.is(countOf(renderTable([pruned, learned, elsewhere, elsewhere], plain), 'Side by side'), 2);
});

test('two models of one method are numbered, and one that nothing tells of is unnamed', () => {
  const nameless = authorization({ method: null, data: null, revocable: null });
  const names = rowsOf(renderTable([pruned, nameless, pruned], { ...plain, width: 140 }));
  assert.equal(names.get(''), ['nonTransferablePruning (1)', 'unnamed', 'nonTransferablePruning (2)']);
  assert.equal(names.get('Images of the target')?.[1], '–');
  assert.equal(names.get('Can be taken back')?.[1], '–');
});

test('what was not judged alike is said', () => {
  assert.not.match(renderTable(three, plain), 'not judged alike');
  const other = { ...pruned, seed: 2, options: { ...pruned.options, learningRate: 1e-2 } };
  assert.match(
    renderTable([pruned, other], { ...plain, width: 2000 }),
    'not judged alike: the training options and seeds differ.',
  );
});

test('a page and Markdown begin with the comparison', async () => {
  const page = await renderHtml(three);
  const articles = page.split('<article').slice(1);
  assert.is(articles.length, 4);
  assert.match(articles[0] as string, '<h2>3 ways to bind a model to mnist</h2>');
  assert.match(articles[0] as string, '>maskPruning</th>');
  assert.match(articles[0] as string, '>by a key</td>');
  assert.is(countOf(page, '<h1>'), 1);
  const markdown = renderMarkdown(three);
  assert.ok(markdown.startsWith('# 3 ways to bind a model to mnist\n'));
  assert.is(countOf(markdown, '## Side by side'), 1);
  assert.match(markdown, '| Can be taken back | no | no | by a key |');
});

test('a report of an earlier version is shown, and not compared', () => {
  const { binding, leftOut, ...figures } = pruned.figures;
  assert.ok(binding && leftOut);
  const old = { ...pruned, figures };
  const text = renderTable([old, old], plain);
  assert.is(countOf(text, 'Side by side'), 0);
  assert.is(countOf(text, 'What the protected model is worth on mnist-m'), 2);
});

test.run();
