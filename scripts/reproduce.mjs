import fs from 'node:fs';
import path from 'node:path';
import { drawBarriers } from './lib/barriers.mjs';
import { drawLearningCurves } from './lib/learningCurves.mjs';
import { inRoot, root } from './lib/paths.mjs';
import { ensureNative, ensurePackages, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';
import { renderReproductions } from './lib/reproductions.mjs';

const kHelp = `npm run reproduce -- NAME [OPTIONS]: runs the experiments behind a method's claims on real data, writes
docs/reproduction/NAME.json, and from all such files docs/reproduction.md and the pictures in docs/images

  --seeds 1,2,3   the seeds
  --render        only writes the page and the pictures`;

await main(async () => {
  const args = process.argv.slice(2);
  process.chdir(root);
  let failed = 0;
  await ensurePackages();
  await ensureTypeScript();
  if (!args.includes('--render')) {
    await ensureNative(await ensureTools());
    const { makeSamples } = await import('../dist/lib/data/index.js');
    await makeSamples({
      names: ['optdigits', 'mnist', 'mnist-m', 'syn'],
      out: inRoot('data'),
      onProgress: () => {},
    });
    const { reproduce } = await import('../dist/bench/reproduce/index.js');
    failed = await reproduce(args);
  }
  const folder = inRoot('docs/reproduction');
  if (!fs.existsSync(folder)) return failed > 0 ? 1 : 0;
  const results = fs
    .readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8')));
  fs.writeFileSync(inRoot('docs/reproduction.md'), renderReproductions(results));
  fs.mkdirSync(inRoot('docs/images'), { recursive: true });
  for (const result of results) {
    const svg = (await drawLearningCurves(result)) ?? (await drawBarriers(result));
    if (svg !== undefined) fs.writeFileSync(inRoot(`docs/images/${result.name}.svg`), svg);
  }
  return failed > 0 ? 1 : 0;
}, kHelp);
