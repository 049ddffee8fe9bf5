import { parseArgs } from 'node:util';
import { inRoot } from './lib/paths.mjs';
import { ensurePackages, ensureTypeScript } from './lib/prepare.mjs';
import { main, Problem } from './lib/problem.mjs';

const kHelp = `npm run data [-- NAME ...] [OPTIONS]: makes the sample domains (docs/data.md); one that is there is left as it is

  --out FOLDER   where they go (data)
  --seed N       of what is drawn (0)
  --limit N      at most so many images a role
  --verify       compares digests, not only sizes`;

await main(async () => {
  const options = readArguments();
  await ensurePackages();
  await ensureTypeScript();
  const { makeSamples } = await import('../dist/lib/data/index.js');
  const onProgress = ({ name, message }) => console.log(`${name.padEnd(9)}  ${message}`);
  await makeSamples({ ...options, onProgress }).catch((error) => {
    throw 'code' in error ? new Problem(error.message) : error;
  });
}, kHelp);

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', default: inRoot('data') },
      seed: { type: 'string', default: '0' },
      limit: { type: 'string' },
      verify: { type: 'boolean', default: false },
    },
  });
  return {
    ...(positionals.length > 0 && { names: positionals }),
    out: values.out,
    seed: Number(values.seed),
    ...(values.limit !== undefined && { limit: Number(values.limit) }),
    verify: values.verify,
  };
}
