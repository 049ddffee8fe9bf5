import { ensureNative, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';

// npm run bench [-- CASE ...] [--trials N] [--out FILE.json]: races the product against PyTorch.
await main(async () => {
  await ensureNative(await ensureTools());
  await ensureTypeScript();
  const { bench } = await import('../dist/bench/bench.js');
  await bench(process.argv.slice(2));
});
