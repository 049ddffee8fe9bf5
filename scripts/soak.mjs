import { root } from './lib/paths.mjs';
import { ensureNative, ensurePackages, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';

// npm run soak -- --minutes N [--seed S] [--out FILE]: jobs, handles, Workers and forgotten promises again and
// again; writes docs/reliability/soak.json, and ends with 1 where a promise was broken.
await main(async () => {
  process.chdir(root);
  await ensurePackages();
  await ensureNative(await ensureTools());
  await ensureTypeScript();
  const { soak } = await import('../dist/reliability/soak/index.js');
  return (await soak(process.argv.slice(2))) > 0 ? 1 : 0;
});
