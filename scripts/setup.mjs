import { ensureNative, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';
import { seconds } from './lib/steps.mjs';

const kHelp = `npm run setup [-- --quiet]: makes a clone ready: packages, libtorch, the native addon, TypeScript. Does only what is not
done yet

  --quiet   says nothing where there was nothing to do`;

await main(async () => {
  const start = performance.now();
  const quiet = process.argv.includes('--quiet');
  const tools = await ensureTools();
  const native = await ensureNative(tools);
  const typescript = await ensureTypeScript();
  const took = seconds(performance.now() - start);
  if (native || typescript)
    console.log(`Set-up: done in ${took} (libtorch ${tools.libtorch.version} in ${tools.libtorch.root})`);
  else if (!quiet) console.log(`Set-up: everything is up to date (${took})`);
}, kHelp);
