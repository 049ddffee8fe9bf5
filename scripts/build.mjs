import fs from 'node:fs';
import { parseArgs } from 'node:util';
import * as native from './lib/native.mjs';
import { inRoot } from './lib/paths.mjs';
import { prebuild } from './lib/prebuild.mjs';
import { ensureNative, ensureTools, ensureTypeScript } from './lib/prepare.mjs';
import { main } from './lib/problem.mjs';

const kHelp = `npm run build [-- OPTIONS]: builds the native addon and the TypeScript

  --werror      warnings of the C++ compiler are errors
  --cuda        the CUDA kernels too; they are needed, not left out where something is missing
  --clean       removes build/ and dist/ first (npm run rebuild)
  --prebuild    packs what an installed package loads (npm run prebuildify)
  --install DIR where the addon goes; binding.gyp's`;

await main(async () => {
  const { values } = parseArgs({
    options: {
      clean: { type: 'boolean' },
      cuda: { type: 'boolean' },
      install: { type: 'string' },
      prebuild: { type: 'boolean' },
      werror: { type: 'boolean' },
    },
  });
  if (values.clean)
    for (const folder of ['build', 'dist']) fs.rmSync(inRoot(folder), { recursive: true, force: true });
  const tools = await ensureTools(process.env, { needsCuda: values.cuda === true });
  if (values.werror) tools.werror = true;
  await ensureNative(tools, { always: true });
  if (values.install) {
    await native.install(tools, values.install);
    return;
  }
  await ensureTypeScript({ always: true });
  if (values.prebuild) await prebuild(tools);
}, kHelp);
