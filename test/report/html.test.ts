import { readFile } from 'node:fs/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { renderHtml } from '../../lib/report/index.js';
import { accuracyOf, envelope, evaluation, matrix, pruning, training, unknown } from './samples.js';

const hostile = `</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&\u2028`;

/** The page without its style and its data. */
const bodyOf = (page: string) =>
  page.slice(page.indexOf('<body>'), page.indexOf('<script type="application/json"'));
const dataOf = (page: string) => {
  const [, json = ''] =
    /<script type="application\/json" id="espalier-report">(.*?)<\/script>/s.exec(page) ?? [];
  return JSON.parse(json) as unknown;
};
const countOf = (page: string, piece: string) => page.split(piece).length - 1;

test('a page needs nothing from elsewhere', async () => {
  const page = await renderHtml([matrix, training, pruning, evaluation, unknown]);
  const addresses = [...page.matchAll(/\b(?:https?:)?\/\/[\w.-]+[^\s"'<]*/g)].map(([address]) => address);
  assert.equal([...new Set(addresses)], ['http://www.w3.org/2000/svg']);
  for (const [, address] of page.matchAll(/\b(?:src|href|url)\s*[=(]\s*["']?([^"')>\s]*)/g)) {
    assert.match(address as string, /^#/);
  }
  assert.not.match(page, /@import|<link|<iframe/);
  assert.match(page, /Content-Security-Policy" content="default-src 'none'/);
});

test('the data of the page are the reports, byte for byte', async () => {
  assert.equal(dataOf(await renderHtml(matrix)), matrix);
  assert.equal(dataOf(await renderHtml([training, pruning])), [training, pruning]);
});

test('no name can become markup or end the data', async () => {
  const evil = accuracyOf([90, 80]);
  evil.perClass = evil.perClass.map((row) => ({ ...row, class: hostile as unknown as number }));
  const layer = { path: hostile, weights: 10, zeros: 5, sparsity: 0.5, threshold: 0.1 };
  const reports = [
    envelope('evaluate.accuracy', evil, {
      warnings: [hostile],
      inputs: { [hostile]: hostile, model: { architecture: hostile }, domain: { name: hostile } },
    }),
    envelope(
      'prune.magnitude',
      { ...pruning.figures, layers: [layer, layer] },
      { options: { [hostile]: hostile } },
    ),
    envelope(
      'evaluate.domains',
      { ...matrix.figures, models: [hostile, 'b', 'c'] },
      { machine: { cpu: hostile } },
    ),
    envelope(hostile, { [hostile]: { [hostile]: [{ [hostile]: hostile }] } }),
  ];
  const page = await renderHtml(reports, { title: hostile });
  assert.is(countOf(page, '<script'), 1);
  assert.is(countOf(page, '</script'), 1);
  assert.is(countOf(page, '<img'), 0);
  assert.equal(dataOf(page), reports);
});

test('a name is shown as it is written', async () => {
  const page = await renderHtml(
    envelope('evaluate.accuracy', accuracyOf([90, 80]), {
      inputs: { model: { architecture: 'a<b>&"c"' }, domain: { name: 'mnist' } },
    }),
  );
  assert.match(bodyOf(page), 'Accuracy of a&lt;b&gt;&amp;&quot;c&quot; on mnist');
});

test('the matrix is a heat map with numbers and intervals, a row a model', async () => {
  const body = bodyOf(await renderHtml(matrix));
  const [, head = '', rows = ''] =
    /aria-label="Accuracy"><thead>(.*?)<\/thead><tbody>(.*?)<\/tbody>/s.exec(body) ?? [];
  assert.equal(
    [...head.matchAll(/<th scope="col">(.*?)<\/th>/g)].map(([, name]) => name),
    ['Model \\ domain', 'mnist', 'optdigits', 'mnist-m', 'syn'],
  );
  assert.is(countOf(rows, '<tr>'), 3);
  assert.is(countOf(rows, '<td '), 12);
  assert.match(rows, '<span class="value">97.60%</span><span class="interval">96.40–98.70%</span>');
});

test('stronger cells are those of higher accuracy', async () => {
  const body = bodyOf(await renderHtml(matrix));
  const rows = /aria-label="Accuracy">.*?<\/table>/s.exec(body)?.[0] ?? '';
  const cells = [...rows.matchAll(/--opaque: ([\d.]+)"><span class="value">([\d.]+)%/g)];
  assert.is(cells.length, 12);
  const sorted = cells
    .map(([, opaque, share]) => [Number(share), Number(opaque)])
    .sort((a, b) => a[0]! - b[0]!);
  sorted.forEach(([, opaque], i) => {
    assert.ok(i === 0 || opaque! >= sorted[i - 1]![1]!);
  });
});

test('every layer has a bar and a number', async () => {
  const body = bodyOf(await renderHtml(pruning));
  for (const { path } of pruning.figures.layers) assert.ok(countOf(body, `>${path}<`) >= 2, path);
  assert.match(body, 'overall 90.83%');
});

test('training has curves of loss and accuracy, side by side above one table', async () => {
  const body = bodyOf(await renderHtml(training));
  assert.is(countOf(body, '<figure class="chart">'), 2);
  assert.is(countOf(body, '<summary>The numbers</summary>'), 1);
  assert.match(body, /aria-label="Loss over 8 epochs"/);
});

test('one epoch is a table, not a curve', async () => {
  const figures = { ...training.figures, epochs: training.figures.epochs.slice(0, 1) };
  const body = bodyOf(await renderHtml(envelope('train.supervised', figures)));
  assert.is(countOf(body, '<figure'), 0);
  assert.match(body, '87.00%');
});

test('pictures take every colour from the style, so that they serve light and dark', async () => {
  const body = bodyOf(await renderHtml([training, pruning, evaluation]));
  const colours = [...body.matchAll(/ (?:fill|stroke)="([^"]*)"/g)].map(([, colour]) => colour as string);
  assert.ok(colours.length > 50);
  for (const colour of colours) assert.match(colour, /^(var\(--[\w-]+\)|none|transparent|currentColor)$/);
  const page = await renderHtml(training);
  const used = new Set([...page.matchAll(/var\((--[\w-]+)/g)].map(([, name]) => name as string));
  for (const name of used) if (name !== '--opaque') assert.is(countOf(page, `${name}: `), 3, name);
});

test('every picture has a description', async () => {
  const body = bodyOf(await renderHtml([training, pruning, evaluation, unknown]));
  const pictures = [...body.matchAll(/<svg ([^>]*)>/g)].map(([, attributes]) => attributes as string);
  for (const attributes of pictures)
    assert.match(attributes, /role="img" aria-label="[^"]+"|aria-hidden="true"/);
});

test('a page has one main heading', async () => {
  const headings = (page: string) => [...page.matchAll(/<h1>(.*?)<\/h1>/g)].map(([, words]) => words);
  assert.equal(headings(await renderHtml(matrix)), ['Accuracy of 3 models on 4 domains']);
  assert.equal(headings(await renderHtml([matrix, matrix])), ['2 reports']);
  assert.equal(headings(await renderHtml(matrix, { title: 'Digits' })), ['Digits']);
});

test('options, digests and versions are in the page', async () => {
  const body = bodyOf(await renderHtml(pruning));
  for (const piece of [
    'fineTune.learningRate',
    '0.05',
    'a'.repeat(64),
    '2.13.0',
    'Example CPU',
    'took 1 min 23 s',
  ]) {
    assert.match(body, piece);
  }
});

test('figures of an unexpected shape fall to a table', async () => {
  const body = bodyOf(await renderHtml(envelope('prune.magnitude', { sparsity: 0.5, layers: 'none' })));
  assert.match(body, '<dt>Sparsity</dt><dd>50.00%</dd>');
  assert.match(body, '<dt>Layers</dt><dd>none</dd>');
});

test('a method without pictures of its own gets those of the figures that are known', async () => {
  const body = bodyOf(await renderHtml(unknown));
  for (const piece of ['Layers', 'History: accuracy', 'Before: confusion matrix', 'Target drop']) {
    assert.match(body, piece);
  }
});

test('an empty class and a missing figure are a dash', async () => {
  const figures = accuracyOf([90, 80]);
  const empty = { class: 1, accuracy: null, samples: 0, interval: null };
  const page = await renderHtml(
    envelope('evaluate.accuracy', { ...figures, loss: null, perClass: [figures.perClass[0], empty] }),
  );
  assert.match(bodyOf(page), '<span class="value">–</span>');
  assert.not.match(bodyOf(page), /NaN|undefined|null/);
});

test('the sources of the page hold no foreign address', async () => {
  const style = await readFile(new URL('../../lib/report/style.js', import.meta.url), 'utf8');
  assert.not.match(style, /https?:|url\(/);
});

test.run();
