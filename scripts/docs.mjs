import fs from 'node:fs';
import { inRoot } from './lib/paths.mjs';
import { ensurePackages, ensureTypeScript } from './lib/prepare.mjs';
import { main, Problem } from './lib/problem.mjs';
import { withFigures } from './lib/reliability.mjs';

const kHelp = `npm run docs [-- --check]: writes what the documentation says of options from the schemas, between the marks
<!-- options --> and <!-- /options -->, and the figures of docs/reliability.md from docs/reliability/*.json

  --check   only compares`;

await main(async () => {
  const check = process.argv.includes('--check');
  await ensurePackages();
  await ensureTypeScript();
  const { allMethods } = await import('../dist/lib/methods.js');
  const { optionsTable } = await import('../dist/lib/schema/docs.js');
  const stale = [];
  const renew = (file, before, after) => {
    if (after === before) return;
    stale.push(file);
    if (!check) fs.writeFileSync(file, after);
  };
  for (const method of allMethods) {
    const file = inRoot('docs/methods', `${method.name}.md`);
    if (!fs.existsSync(file)) throw new Problem(`expected a page docs/methods/${method.name}.md, found none`);
    const before = fs.readFileSync(file, 'utf8');
    const after = before.replace(
      /<!-- options -->[\s\S]*?<!-- \/options -->/,
      () => `<!-- options -->\n${optionsTable(method)}\n<!-- /options -->`,
    );
    if (!before.includes('<!-- options -->')) throw new Problem(`${file} lacks the mark <!-- options -->`);
    renew(file, before, after);
  }
  const page = inRoot('docs/reliability.md');
  const before = fs.readFileSync(page, 'utf8');
  renew(page, before, withFigures(before));
  if (check && stale.length > 0) throw new Problem(`not up to date, run npm run docs: ${stale.join(', ')}`);
  console.log(
    stale.length === 0 ? 'Option tables and figures are up to date.' : `Written: ${stale.join(', ')}`,
  );
}, kHelp);
