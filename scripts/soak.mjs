import fs from 'node:fs';
import { inRoot, root } from './lib/paths.mjs';
import { ensureNative, ensurePackages, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';
import { withFigures } from './lib/reliability.mjs';

const kHelp = `npm run soak [-- OPTIONS]: jobs, handles, Workers and forgotten promises again and again; writes the figures in
docs/reliability.md, and ends with 1 where a promise was broken

  --minutes N   how long (20)
  --seed S      of what is drawn (1)
  --out FILE    where the JSON goes (docs/reliability/soak.json)`;

await main(async () => {
  process.chdir(root);
  await ensurePackages();
  await ensureNative(await ensureTools());
  await ensureTypeScript();
  const { soak } = await import('../dist/reliability/soak/index.js');
  const broken = await soak(process.argv.slice(2));
  const page = inRoot('docs/reliability.md');
  fs.writeFileSync(page, withFigures(fs.readFileSync(page, 'utf8')));
  return broken > 0 ? 1 : 0;
}, kHelp);
