// Makes the sample domains: node scripts/data.mjs [name ...] [--out data] [--seed 0] [--limit N] [--verify]
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const library = join(root, 'dist', 'lib', 'data', 'index.js');

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', default: join(root, 'data') },
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

try {
  const options = readArguments();
  if (!existsSync(library)) throw new Error('the TypeScript is not built yet: run `npm run setup` first');
  const { makeSamples } = await import(library);
  await makeSamples({
    ...options,
    onProgress: ({ name, message }) => console.log(`${name.padEnd(9)}  ${message}`),
  });
} catch (error) {
  console.error(`data: ${error.message}`);
  process.exitCode = 1;
}
