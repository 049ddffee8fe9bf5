import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isEspalierError } from '../../lib/errors.js';
import { renderJson, renderTable, saveReport } from '../../lib/report/index.js';
import { envelope, matrix, training } from './samples.js';

const test = suite<{ folder: string }>('save');
test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'espalier-report-'));
});
test.after.each(async ({ folder }) => await rm(folder, { recursive: true }));

const codeOf = async (work: () => unknown) => {
  try {
    await work();
  } catch (error) {
    return isEspalierError(error) ? `${error.code}: ${error.message}` : String(error);
  }
  return 'no error';
};

test('JSON is the same data back', () => {
  assert.equal(JSON.parse(renderJson(matrix)), matrix);
  assert.equal(JSON.parse(renderJson([matrix, training])), [matrix, training]);
});

test('the extension names the form', async ({ folder }) => {
  for (const [name, start] of [
    ['a.json', '{\n  "format": "espalier-report/1"'],
    ['a.html', '<!doctype html>'],
    ['a.md', '# Training of convnet'],
    ['a.txt', 'Training of convnet\n'],
  ] as const) {
    await saveReport(join(folder, name), training);
    assert.ok((await readFile(join(folder, name), 'utf8')).startsWith(start), name);
  }
  assert.equal((await readdir(folder)).sort(), ['a.html', 'a.json', 'a.md', 'a.txt']);
});

test('missing folders are made', async ({ folder }) => {
  await saveReport(join(folder, 'x/y/a.json'), training);
  assert.equal(JSON.parse(await readFile(join(folder, 'x/y/a.json'), 'utf8')), training);
});

test('another extension is refused, naming those that are known', async ({ folder }) => {
  assert.match(
    await codeOf(() => saveReport(join(folder, 'a.pdf'), training)),
    /^ERR_INVALID_ARG_TYPE: expected a file name that ends in \.html, \.json, \.md, \.txt for path, received '.*a\.pdf'$/,
  );
});

test('what cannot be written is an error that names the file, and leaves nothing behind', async ({
  folder,
}) => {
  await writeFile(join(folder, 'file'), '');
  const path = join(folder, 'file/a.json');
  assert.match(
    await codeOf(() => saveReport(path, training)),
    `ERR_IO: the report cannot be written to ${path}`,
  );
  assert.equal(await readdir(folder), ['file']);
});

test('what is not a report is refused, naming the field', async () => {
  const { format: _, ...without } = training;
  assert.match(await codeOf(() => renderTable(without as never)), 'for report.format, received undefined');
  assert.match(
    await codeOf(() => renderTable([training, 3 as never])),
    'expected a report for reports[1], received 3',
  );
  assert.match(await codeOf(() => renderTable([])), 'expected at least one report');
  assert.match(
    await codeOf(() => renderTable(envelope('a', [] as never))),
    'expected an object for report.figures',
  );
});

test.run();
