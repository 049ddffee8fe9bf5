import { root } from './lib/paths.mjs';
import { ensureNative, ensurePackages, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';

// npm run crash -- [--count N] [--minutes N] [--seed S] [--out FILE]: kills runs of several methods at random
// moments and resumes them; writes docs/reliability/crash.json, and ends with 1 where one ended with other bytes.
await main(async () => {
  process.chdir(root);
  await ensurePackages();
  await ensureNative(await ensureTools());
  await ensureTypeScript();
  const { crashCommand } = await import('../dist/reliability/crash/index.js');
  return (await crashCommand(process.argv.slice(2))) > 0 ? 1 : 0;
});
