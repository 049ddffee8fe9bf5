import { root } from './lib/paths.mjs';
import { ensureNative, ensurePackages, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';

const kHelp = `npm run crash [-- OPTIONS]: kills runs of several methods at random moments and resumes them; ends with 1 where one
ended with other bytes than a run that was left alone

  --count N      kills (100)
  --minutes N    the time that it may take (30)
  --seed S       of the moments (1)
  --out FILE     where the JSON goes (docs/reliability/crash.json)`;

await main(async () => {
  process.chdir(root);
  await ensurePackages();
  await ensureNative(await ensureTools());
  await ensureTypeScript();
  const { crashCommand } = await import('../dist/reliability/crash/index.js');
  return (await crashCommand(process.argv.slice(2))) > 0 ? 1 : 0;
}, kHelp);
