import fs from 'node:fs';
import { inRoot } from './lib/paths.mjs';
import { mergePerformance, renderPerformance } from './lib/performance.mjs';
import { ensureNative, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';

// npm run bench [-- CASE ...] [--trials N] [--out FILE.json]: races the product against PyTorch. --publish writes
// docs/performance.json and the page that shows it; races that did not run keep their figures where they come from the
// same machine.
await main(async () => {
  const args = process.argv.slice(2);
  const publish = args.includes('--publish');
  const json = inRoot('docs/performance.json');
  await ensureNative(await ensureTools());
  await ensureTypeScript();
  const before = publish && fs.existsSync(json) ? JSON.parse(fs.readFileSync(json, 'utf8')) : undefined;
  const { bench } = await import('../dist/bench/bench.js');
  await bench([...args.filter((arg) => arg !== '--publish'), ...(publish ? ['--out', json] : [])]);
  if (!publish) return;
  const all = mergePerformance(before, JSON.parse(fs.readFileSync(json, 'utf8')));
  fs.writeFileSync(json, `${JSON.stringify(all, null, 2)}\n`);
  fs.writeFileSync(inRoot('docs/performance.md'), renderPerformance(all));
});
